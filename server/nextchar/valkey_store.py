"""Sessions in Valkey or Redis, for several servers.

A session is a hash under a key of its own, which the store itself forgets some time after it has expired;
an owner's sessions are a sorted set of ids by expiry. A change is one script on one key, so it holds in a
cluster; the sorted set is written after it, and put right by the session's next change.
"""

import secrets
import time
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from nextchar.errors import Unavailable
from nextchar.session_store import Record

_TIMEOUT_SECONDS = 2.0
_OPEN_SECONDS = 1.0  # for so long after a failure nobody else waits for the next one
_FIELDS = (
    "model",
    "version",
    "digest",
    "revision",
    "position",
    "created",
    "ttl_seconds",
    "expires_at",
    "sealed",
)
_OWNERS = "nextchar:owners"
# A write whose answer was lost is sent again: its own mark tells that it was done, and is not done twice.
_DONE = "if redis.call('HGET', KEYS[1], 'write') == ARGV[3] then return 1 end\n"
_CREATE = f"""{_DONE}
local kept = redis.call('HGET', KEYS[1], 'expires_at')
if kept and tonumber(kept) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'write', unpack(ARGV, 3))
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
"""
_REPLACE = f"""{_DONE}
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'write', unpack(ARGV, 3))
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
"""
_TOUCH = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'expires_at', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
"""


class ValkeyStore:
    """As `SessionStore`. `grace_seconds` is how long an expired session is still told from none."""

    def __init__(self, url: str, *, grace_seconds: float) -> None:
        """
        Raises:
            ValueError: the address is none.
        """
        self._grace_seconds = grace_seconds
        self._down_until = 0.0
        self._redis: Redis = Redis.from_url(
            "redis" + url.removeprefix("valkey") if url.startswith("valkey") else url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),  # one: a connection that was closed while idle
        )

    async def create(self, record: Record, *, now: float) -> bool:
        arguments = [now, self._forgotten_at(record.expires_at), _mark(), *_values(record)]
        done = await self._script(_CREATE, _key(record.owner, record.session_id), arguments)
        if done:
            await self._call("sadd", _OWNERS, record.owner)
            await self._listed(record)
        return done

    async def load(self, owner: str, session_id: str) -> Record | None:
        values = await self._call("hmget", _key(owner, session_id), _FIELDS)
        return None if values[0] is None else _record(owner, session_id, values)

    async def replace(self, record: Record, *, revision: int) -> bool:
        arguments = [revision, self._forgotten_at(record.expires_at), _mark(), *_values(record)]
        done = await self._script(_REPLACE, _key(record.owner, record.session_id), arguments)
        if done:
            await self._listed(record)
        return done

    async def touch(self, owner: str, session_id: str, *, expires_at: float) -> None:
        arguments = [repr(expires_at), self._forgotten_at(expires_at)]
        if await self._script(_TOUCH, _key(owner, session_id), arguments):
            await self._call("zadd", _ids(owner), {session_id: expires_at}, xx=True)

    async def delete(self, owner: str, session_id: str) -> bool:
        found = await self._call("delete", _key(owner, session_id))
        await self._call("zrem", _ids(owner), session_id)
        return bool(found)

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[Record]:
        live = await self._call("zrange", _ids(owner), f"({now!r}", "+inf", byscore=True)
        ids = sorted(name for name in (raw.decode() for raw in live) if name > after)
        page: list[Record] = []
        for session_id in ids:
            if len(page) == limit:
                break
            values = await self._call("hmget", _key(owner, session_id), _FIELDS[:-1])
            if values[0] is not None:
                page.append(_record(owner, session_id, [*values, b""]))
        return page

    async def count(self, owner: str | None, *, now: float) -> int:
        owners = await self._owners() if owner is None else [owner]
        return sum([await self._call("zcount", _ids(name), f"({now!r}", "+inf") for name in owners])

    async def num_kept(self, owner: str) -> int:
        return int(await self._call("zcard", _ids(owner)))

    async def purge(self, *, before: float) -> int:
        # Sessions are forgotten by the store itself; what is left are their places in the lists.
        return sum(
            [
                await self._call("zremrangebyscore", _ids(owner), "-inf", f"({before!r}")
                for owner in await self._owners()
            ]
        )

    async def close(self) -> None:
        await self._redis.aclose()

    async def _owners(self) -> list[str]:
        return [owner.decode() for owner in await self._call("smembers", _OWNERS)]

    async def _listed(self, record: Record) -> None:
        await self._call("zadd", _ids(record.owner), {record.session_id: record.expires_at})

    def _forgotten_at(self, expires_at: float) -> int:
        return int((expires_at + self._grace_seconds) * 1000)

    async def _script(self, script: str, key: str, arguments: list[Any]) -> bool:
        return bool(await self._call("eval", script, 1, key, *arguments))

    async def _call(self, command: str, *arguments: Any, **options: Any) -> Any:
        """
        Raises:
            Unavailable: the store does not answer, refuses, or did so a moment ago.
        """
        if time.monotonic() < self._down_until:
            raise Unavailable("the session store did not answer a moment ago", code="store_unavailable")
        try:
            return await getattr(self._redis, command)(*arguments, **options)
        except (RedisError, OSError) as error:
            if not isinstance(error, ResponseError):  # it did not answer, rather than refuse
                self._down_until = time.monotonic() + _OPEN_SECONDS
            raise Unavailable(
                f"the session store cannot be used now: {error}", code="store_unavailable"
            ) from error


def _key(owner: str, session_id: str) -> str:
    return f"nextchar:session:{{{owner}|{session_id}}}"


def _ids(owner: str) -> str:
    return f"nextchar:ids:{{{owner}}}"


def _mark() -> str:
    """What tells one write from every other."""
    return secrets.token_hex(8)


def _values(record: Record) -> list[Any]:
    """Names and values by turns; floats with all their digits."""
    values = [getattr(record, name) for name in _FIELDS]
    shown = [repr(value) if isinstance(value, float) else value for value in values]
    return [part for pair in zip(_FIELDS, shown, strict=True) for part in pair]


def _record(owner: str, session_id: str, values: list[bytes]) -> Record:
    model, version, digest, revision, position, created, ttl_seconds, expires_at, sealed = values
    return Record(
        owner=owner,
        session_id=session_id,
        model=model.decode(),
        version=version.decode(),
        digest=digest.decode(),
        revision=int(revision),
        position=int(position),
        created=float(created),
        ttl_seconds=float(ttl_seconds),
        expires_at=float(expires_at),
        sealed=sealed,
    )
