"""Stores sessions in Valkey or Redis, for several servers.

A session is a hash under a key of its own, which the server deletes some time after it has expired; an
owner's sessions are a sorted set of ids by expiry, and a hash of their sizes. A change is one script on the
keys of one hash slot, so it works in a cluster; what an owner has is written after it, and corrected by the
session's next change.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from redis.exceptions import RedisError, ResponseError

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import LoadedSession, OwnerUsage, SessionRecord
from nextchar.service.sessions.stores.valkey_client import close_client, valkey_client

logger = logging.getLogger(__name__)

_OPEN_SECONDS = 1.0  # after a failure, for which all calls fail at once
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
# A write whose answer was lost is sent again: its token shows that it was done, so it is not done twice.
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
redis.call('HSET', KEYS[1], 'expires_at', ARGV[1], 'ttl_seconds', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
"""
# An owner's ids by expiry, and the sizes of their states: their sum is the size of the empty id.
_LIST = """
local old = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HINCRBY', KEYS[2], '', tonumber(ARGV[3]) - old)
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
"""
_UNLIST = """
for _, id in ipairs(ARGV) do
    local old = tonumber(redis.call('HGET', KEYS[2], id) or '0')
    redis.call('HDEL', KEYS[2], id)
    redis.call('HINCRBY', KEYS[2], '', -old)
    redis.call('ZREM', KEYS[1], id)
end
return 1
"""
_A_BATCH = 500  # ids at a time


class ValkeyStore:
    """Implements `SessionStore`; an expired session is known as expired for `grace_seconds`."""

    durable = True

    def __init__(self, url: str, *, grace_seconds: float) -> None:
        """
        Raises:
            ValueError: the address is invalid.
        """
        self._grace_seconds = grace_seconds
        self._down_until = 0.0
        self._redis = valkey_client(url)

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        arguments = [now, self._forgotten_at(record.expires_at), _token(), *_values(record)]
        done = await self._script(_CREATE, _key(record.owner, record.session_id), arguments)
        if done:
            await self._call("sadd", _OWNERS, record.owner)
            await self._list(record)
        return done

    async def load(self, owner: str, session_id: str) -> LoadedSession | None:
        async def read() -> Any:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(_key(owner, session_id), _FIELDS)
            pipe.hget(_sizes(owner), "")
            return await pipe.execute()

        values, num_bytes = await self._answer(read)
        if values[0] is None:
            return None
        return LoadedSession(_record(owner, session_id, values), int(num_bytes or 0))

    async def replace(self, record: SessionRecord, *, revision: int) -> bool:
        arguments = [revision, self._forgotten_at(record.expires_at), _token(), *_values(record)]
        done = await self._script(_REPLACE, _key(record.owner, record.session_id), arguments)
        if done:
            await self._list(record)
        return done

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        arguments = [repr(expires_at), self._forgotten_at(expires_at), repr(ttl_seconds)]
        if await self._script(_TOUCH, _key(owner, session_id), arguments):
            await self._call("zadd", _ids(owner), {session_id: expires_at}, xx=True)

    async def delete(self, owner: str, session_id: str) -> bool:
        num_deleted = await self._call("delete", _key(owner, session_id))
        await self._call("eval", _UNLIST, 2, _ids(owner), _sizes(owner), session_id)
        return bool(num_deleted)

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        live = await self._call("zrange", _ids(owner), f"({now!r}", "+inf", byscore=True)
        ids = sorted(name for name in (raw.decode() for raw in live) if name > after)
        page: list[SessionRecord] = []
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

    async def kept(self, owner: str) -> OwnerUsage:
        num_bytes = await self._call("hget", _sizes(owner), "")
        return OwnerUsage(int(await self._call("zcard", _ids(owner))), int(num_bytes or 0))

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        place = {"byscore": True, "offset": 0, "num": 1, "withscores": True}
        first = await self._call("zrange", _ids(owner), f"({after!r}", "+inf", **place)
        return float(first[0][1]) if first else None

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        wanted: list[bytes | None] = [model.encode(), version.encode()]
        count = 0
        for owner in await self._owners():
            live = await self._call("zrange", _ids(owner), f"({now!r}", "+inf", byscore=True)
            for first in range(0, len(live), _A_BATCH):
                keys = [_key(owner, name.decode()) for name in live[first : first + _A_BATCH]]
                count += (await self._models(keys)).count(wanted)
        return count

    async def _models(self, keys: list[str]) -> list[list[bytes | None]]:
        """Returns the name and version of the model of each session."""

        async def read() -> Any:
            pipe = self._redis.pipeline(transaction=False)
            for key in keys:
                pipe.hmget(key, "model", "version")
            return await pipe.execute()

        models: list[list[bytes | None]] = await self._answer(read)
        return models

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:
        expires_at = await self._call("zscore", _ids(owner), session_id)
        return expires_at is not None and expires_at > now

    async def purge(self, *, before: float) -> int:
        # Valkey deletes sessions itself; what is left are their entries in the owners' lists.
        count = 0
        for owner in await self._owners():
            old = await self._call("zrange", _ids(owner), "-inf", f"({before!r}", byscore=True)
            for first in range(0, len(old), _A_BATCH):
                ids = old[first : first + _A_BATCH]
                await self._call("eval", _UNLIST, 2, _ids(owner), _sizes(owner), *ids)
            count += len(old)
        return count

    async def close(self) -> None:
        await close_client(self._redis)

    async def _owners(self) -> list[str]:
        return [owner.decode() for owner in await self._call("smembers", _OWNERS)]

    async def _list(self, record: SessionRecord) -> None:
        arguments = record.session_id, repr(record.expires_at), len(record.sealed)
        await self._call("eval", _LIST, 2, _ids(record.owner), _sizes(record.owner), *arguments)

    def _forgotten_at(self, expires_at: float) -> int:
        return int((expires_at + self._grace_seconds) * 1000)

    async def _script(self, script: str, key: str, arguments: list[Any]) -> bool:
        return bool(await self._call("eval", script, 1, key, *arguments))

    async def _call(self, command: str, *arguments: Any, **options: Any) -> Any:
        """Raises as `_answer`."""
        return await self._answer(lambda: getattr(self._redis, command)(*arguments, **options))

    async def _answer(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """
        Raises:
            Unavailable: the store does not answer, refuses the call, or did not answer a moment ago.
        """
        if time.monotonic() < self._down_until:
            raise Unavailable("the session store did not answer a moment ago", code="store_unavailable")
        try:
            return await ask()
        except ResponseError as error:
            raise Unavailable(f"the session store refuses: {error}", code="store_unavailable") from error
        except (RedisError, OSError) as error:
            self._down_until = time.monotonic() + _OPEN_SECONDS
            logger.warning("the session store does not answer: %s", error)
            raise Unavailable("the session store does not answer", code="store_unavailable") from error


def _key(owner: str, session_id: str) -> str:
    return f"nextchar:session:{{{owner}|{session_id}}}"


def _ids(owner: str) -> str:
    return f"nextchar:ids:{{{owner}}}"


def _sizes(owner: str) -> str:
    return f"nextchar:sizes:{{{owner}}}"


def _token() -> str:
    """Returns a token that tells one write from every other."""
    return secrets.token_hex(8)


def _values(record: SessionRecord) -> list[Any]:
    """Returns names and values by turns; floats with all their digits."""
    values = [getattr(record, name) for name in _FIELDS]
    shown = [repr(value) if isinstance(value, float) else value for value in values]
    return [part for pair in zip(_FIELDS, shown, strict=True) for part in pair]


def _record(owner: str, session_id: str, values: list[bytes]) -> SessionRecord:
    model, version, digest, revision, position, created, ttl_seconds, expires_at, sealed = values
    return SessionRecord(
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
