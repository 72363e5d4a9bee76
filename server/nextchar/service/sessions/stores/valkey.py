"""Stores sessions in Valkey or Redis, for several servers.

A change is one script on the keys of one owner: the session and the owner's books change together or not at
all. `valkey_scripts` has the scripts and the keys, `valkey_link` says what became of a call. The clock is
Valkey's, which all servers share.
"""

import logging
import secrets
from typing import Any

from nextchar.errors import OutcomeUnknown, Unavailable
from nextchar.service.sessions.stores import valkey_scripts as scripts
from nextchar.service.sessions.stores.base import (
    UNLIMITED_BYTES,
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    Tidied,
)
from nextchar.service.sessions.stores.valkey_client import close_client, valkey_client
from nextchar.service.sessions.stores.valkey_link import ValkeyLink

logger = logging.getLogger(__name__)

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
_OWNERS, _KEY_MARK = "nextchar:owners", "nextchar:state_key"
_UNKNOWN = (
    "the session store did not confirm the change: session {!r} {}; ask for the session before you send the "
    "change again"
)
_A_BATCH = 500  # ids at a time
_LOST_SECONDS = 86_400.0  # for which an owner whose books were evicted is told so of ids that are not found


class ValkeyStore:
    """Implements `SessionStore`; an expired session is known as expired for `grace_seconds`."""

    durable, local = True, False

    def __init__(self, url: str, *, grace_seconds: float) -> None:
        """
        Raises:
            ValueError: the address is invalid.
        """
        self._grace_seconds = grace_seconds
        self._redis = valkey_client(url)
        self._link = ValkeyLink(self._redis)
        self._knows_policy = False
        self._untold = Tidied(0, 0)  # what has ended and `tidy` has not told of yet

    async def time(self) -> float:
        seconds, microseconds = await self._call("time")
        return int(seconds) + int(microseconds) / 1e6

    async def check_key(self, fingerprint: str) -> bool:
        await self._call("set", _KEY_MARK, fingerprint, nx=True)
        return bool(await self._call("get", _KEY_MARK) == fingerprint.encode())

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        is_new = await self._call("sadd", _OWNERS, record.owner)
        last = [repr(now), 0 if is_new else 1]
        return bool(await self._changed(scripts.CREATE, record, last, "may have been created"))

    async def load(self, owner: str, session_id: str) -> SessionRecord | None:
        values = await self._call("hmget", _key(owner, session_id), _FIELDS)
        return None if values[0] is None else _record(owner, session_id, values)

    async def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool:
        may = f"may be at revision {record.revision} now"
        answer = await self._changed(scripts.REPLACE, record, [revision, max_bytes], may)
        if answer == scripts.QUOTA_EXCEEDED:
            raise QuotaExceeded((await self.kept(record.owner)).num_bytes)
        return bool(answer)

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        times = [repr(expires_at), self._forgotten_at(expires_at), repr(ttl_seconds)]
        await self._call("eval", scripts.TOUCH, 4, *_keys(owner, session_id), *times, session_id)

    async def delete(self, owner: str, session_id: str) -> bool:
        try:
            written = await self._link.write(scripts.DELETE, _keys(owner, session_id), [session_id])
        except OutcomeUnknown as error:
            raise OutcomeUnknown(_UNKNOWN.format(session_id, "may have been deleted")) from error
        return bool(written.answer) or written.was_repeated

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        live = await self._call("zrange", _live(owner), f"({now!r}", "+inf", byscore=True)
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
        if owner is not None:
            self._untold += await self._tidy(owner, now=now, before=0.0)  # what was evicted does not count
        owners = await self._owners() if owner is None else [owner]
        return sum([await self._call("zcount", _live(name), f"({now!r}", "+inf") for name in owners])

    async def kept(self, owner: str) -> OwnerUsage:
        num_bytes = await self._call("hget", _sizes(owner), "")
        num_sessions = await self._call("zcount", _live(owner), "(-inf", "+inf")
        return OwnerUsage(int(num_sessions), int(num_bytes or 0))

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        place = {"byscore": True, "offset": 0, "num": 1, "withscores": True}
        first = await self._call("zrange", _live(owner), f"({after!r}", "+inf", **place)
        return float(first[0][1]) if first else None

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        wanted: list[bytes | None] = [model.encode(), version.encode()]
        count = 0
        for owner in await self._owners():
            live = await self._call("zrange", _live(owner), f"({now!r}", "+inf", byscore=True)
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

        models: list[list[bytes | None]] = await self._link.ask(read)
        return models

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:
        async def read() -> Any:
            pipe = self._redis.pipeline(transaction=False)
            pipe.zmscore(_live(owner), [session_id, ""])
            pipe.zmscore(_evicted(owner), [session_id, ""])
            pipe.sismember(_OWNERS, owner)
            return await pipe.execute()

        (live_until, books), (evicted_until, lost_until), is_known = await self._link.ask(read)
        if is_known and books is None:  # the books themselves were evicted
            return True
        return any(until is not None and until > now for until in (live_until, evicted_until, lost_until))

    async def tidy(self, *, now: float, before: float) -> Tidied:
        await self._warn_of_policy()
        for owner in await self._owners():
            self._untold += await self._tidy(owner, now=now, before=before)
        told, self._untold = self._untold, Tidied(0, 0)
        return told

    async def _tidy(self, owner: str, *, now: float, before: float) -> Tidied:
        """Corrects the books of an owner, a batch of sessions at a time."""
        keys = _keys(owner, "")
        first = num_expired = num_evicted = 0
        while True:
            rank = [repr(now), repr(before), first, first + _A_BATCH - 1]
            left, forgotten, evicted, expired = await self._call("eval", scripts.TIDY, 4, *keys, *rank)
            is_all = left + forgotten + evicted < _A_BATCH
            first, num_expired, num_evicted = first + left, num_expired + expired, num_evicted + evicted
            if is_all:
                return Tidied(num_expired, num_evicted)

    async def _warn_of_policy(self) -> None:
        """Warns once of a Valkey that may evict more than sessions."""
        if self._knows_policy:
            return
        self._knows_policy = True
        try:
            policy = (await self._call("info", "memory")).get("maxmemory_policy", "")
        except Unavailable:  # the user of a managed store may not be allowed to ask
            return
        if policy.startswith("allkeys"):
            logger.warning(
                "the session store's maxmemory-policy is %s: it may evict the list of an owner's sessions; "
                "set noeviction or one that begins with volatile",
                policy,
            )

    async def close(self) -> None:
        await close_client(self._redis)

    async def _owners(self) -> list[str]:
        return [owner.decode() for owner in await self._call("smembers", _OWNERS)]

    def _head(self, record: SessionRecord) -> list[Any]:
        """Returns what the scripts of a write are given first."""
        forgotten_at, lost_until = self._forgotten_at(record.expires_at), record.expires_at + _LOST_SECONDS
        expires_at, size = repr(record.expires_at), len(record.sealed)
        return [_token(), forgotten_at, record.session_id, expires_at, size, repr(lost_until)]

    def _forgotten_at(self, expires_at: float) -> int:
        return int((expires_at + self._grace_seconds) * 1000)

    async def _changed(self, script: str, record: SessionRecord, last: list[Any], may: str) -> int:
        """Runs the script of a write; returns its answer.

        Sent twice, a write that is then told no may have been done before another server's, so it is not
        known what became of it.

        Raises:
            Unavailable: nothing was done.
            OutcomeUnknown: it may have been done.
        """
        arguments = [*self._head(record), *last, *_values(record)]
        doubt = OutcomeUnknown(_UNKNOWN.format(record.session_id, may), revision=record.revision)
        try:
            written = await self._link.write(script, _keys(record.owner, record.session_id), arguments)
        except OutcomeUnknown as error:
            raise doubt from error
        if written.was_repeated and not written.answer:
            raise doubt
        return written.answer

    async def _call(self, command: str, *arguments: Any, **options: Any) -> Any:
        """Makes a call that changes nothing the second time; raises as `ValkeyLink.ask`."""
        return await self._link.ask(lambda: getattr(self._redis, command)(*arguments, **options))


def _prefix(owner: str) -> str:
    """Returns what the keys of an owner begin with; the braces put them in one hash slot, whoever it is."""
    return f"nextchar:{{={owner}}}:"


def _key(owner: str, session_id: str) -> str:
    return f"{_prefix(owner)}session:{session_id}"


def _live(owner: str) -> str:
    return f"{_prefix(owner)}live"


def _sizes(owner: str) -> str:
    return f"{_prefix(owner)}sizes"


def _evicted(owner: str) -> str:
    return f"{_prefix(owner)}evicted"


def _keys(owner: str, session_id: str) -> list[str]:
    return [_key(owner, session_id), _live(owner), _sizes(owner), _evicted(owner)]


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
