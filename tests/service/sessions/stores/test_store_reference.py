"""Whatever calls come in whatever order, every store answers as a plain list of records does."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.replacing import replace_in
from support.valkey_server import ValkeyServer

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores import valkey as valkey_store
from nextchar.service.sessions.stores import valkey_link
from nextchar.service.sessions.stores.base import (
    UNLIMITED_BYTES,
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    SessionStore,
    Tidied,
)
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.stores.sqlite import SqliteStore
from nextchar.service.sessions.stores.valkey import ValkeyStore

# Far ahead of the clock: Valkey forgets what has expired by its own.
_NOW = float(int(time.time()) + 10_000)
_OWNERS, _IDS, _MODELS = ("", "a|é{x}"), ("s1", "sequence.m.1"), ("m", "n")
_SLOTS = 6  # moments at which a session may expire, and at which a call may be made


@dataclass(frozen=True)
class _Call:
    name: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()


class _Reference:
    """Keeps records in a list: the rules of a store, written down."""

    def __init__(self) -> None:
        self.records: list[SessionRecord] = []

    def _find(self, owner: str, session_id: str) -> SessionRecord | None:
        return next((r for r in self.records if (r.owner, r.session_id) == (owner, session_id)), None)

    def _put(self, record: SessionRecord) -> None:
        self.delete(record.owner, record.session_id)
        self.records.append(record)

    def _live(self, now: float, owner: str | None = None) -> list[SessionRecord]:
        return [r for r in self.records if r.expires_at > now and owner in (None, r.owner)]

    def create(self, record: SessionRecord, *, now: float) -> bool:
        kept = self._find(record.owner, record.session_id)
        if kept is not None and kept.expires_at > now:
            return False
        self._put(record)
        return True

    def load(self, owner: str, session_id: str) -> SessionRecord | None:
        return self._find(owner, session_id)

    def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool | str:
        kept = self._find(record.owner, record.session_id)
        if kept is None or kept != replace(
            kept, revision=revision, created=record.created, ttl_seconds=record.ttl_seconds
        ):
            return False
        num_bytes, growth = self.kept(record.owner).num_bytes, len(record.sealed) - len(kept.sealed)
        if growth > 0 and num_bytes + growth > max_bytes:
            return f"the owner has {num_bytes} bytes"
        self._put(record)
        return True

    def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        kept = self._find(owner, session_id)
        if kept is not None:
            self._put(replace(kept, ttl_seconds=ttl_seconds, expires_at=expires_at))

    def delete(self, owner: str, session_id: str) -> bool:
        kept = self._find(owner, session_id)
        self.records = [r for r in self.records if r is not kept]
        return kept is not None

    def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        live = sorted(self._live(now, owner), key=lambda r: r.session_id)
        return [replace(r, sealed=b"") for r in live if r.session_id > after][:limit]

    def count(self, owner: str | None, *, now: float) -> int:
        return len(self._live(now, owner))

    def kept(self, owner: str) -> OwnerUsage:
        mine = [len(r.sealed) for r in self.records if r.owner == owner]
        return OwnerUsage(len(mine), sum(mine))

    def next_expiry(self, owner: str, *, after: float) -> float | None:
        return min((r.expires_at for r in self._live(after, owner)), default=None)

    def count_of(self, model: str, version: str, *, now: float) -> int:
        return len([r for r in self._live(now) if (r.model, r.version) == (model, version)])

    def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:  # noqa: ARG002
        return False

    def tidy(self, *, now: float, before: float) -> Tidied:  # noqa: ARG002
        old = [r for r in self.records if r.expires_at < before]
        for record in old:
            self.delete(record.owner, record.session_id)
        return Tidied(len(old), 0)


_owners, _ids = st.sampled_from(_OWNERS), st.sampled_from(_IDS)
_moments = st.integers(0, _SLOTS).map(lambda k: _NOW + 1.5 * k)
_TTLS = st.sampled_from((0.001, 60.0, 60.0, 1 / 3, 1e9))
_any_record = st.builds(
    SessionRecord,
    owner=_owners,
    session_id=_ids,
    model=st.just("m"),
    version=st.sampled_from(("1", "2")),
    digest=st.just("d"),
    revision=st.integers(1, 2),
    position=st.integers(0, 2**40),
    created=st.just(0.0),
    ttl_seconds=_TTLS,
    expires_at=_moments,
    sealed=st.binary(max_size=6),
)


def _of_its_id(record: SessionRecord) -> SessionRecord:
    """Gives a session the model and the time of creation that all its revisions have."""
    number = _IDS.index(record.session_id)
    return replace(record, model=_MODELS[number % 2], created=_NOW + number / 8)


_records = _any_record.map(_of_its_id)


def _calls(name: str, *arguments: Any, **options: Any) -> st.SearchStrategy[_Call]:
    given_options = st.fixed_dictionaries(options).map(lambda found: tuple(found.items()))
    return st.builds(_Call, st.just(name), st.tuples(*arguments), given_options)


_writes = st.one_of(
    _calls("create", _records, now=_moments),
    _calls("create", _records, now=_moments),
    _calls("replace", _records, revision=st.integers(1, 2)),
    _calls("replace", _records, revision=st.integers(1, 2), max_bytes=st.integers(0, 12)),
    _calls("touch", _owners, _ids, ttl_seconds=_TTLS, expires_at=_moments),
    _calls("delete", _owners, _ids),
)
_tidies = _calls("tidy", now=st.just(_NOW - 1), before=_moments)
# All that can be asked, at every moment.
_QUESTIONS = [
    *(_Call("load", (owner, name)) for owner in _OWNERS for name in _IDS),
    *(_Call("kept", (owner,)) for owner in _OWNERS),
    *(_Call("was_evicted", (owner, "s1"), (("now", _NOW + 99),)) for owner in _OWNERS),
    *(
        question
        for now in (_NOW + 1.5 * k for k in range(_SLOTS + 1))
        for question in (
            _Call("count", (None,), (("now", now),)),
            *(_Call("count", (owner,), (("now", now),)) for owner in _OWNERS),
            *(_Call("next_expiry", (owner,), (("after", now),)) for owner in _OWNERS),
            *(_Call("count_of", (model, "1"), (("now", now),)) for model in _MODELS),
            _Call("page", ("a|é{x}",), (("after", ""), ("limit", 2), ("now", now))),
            _Call("page", ("",), (("after", "s1"), ("limit", 1), ("now", now))),
        )
    ),
]


async def _same(store: SessionStore, calls: list[_Call]) -> None:
    reference = _Reference()
    for call in [*calls, *_QUESTIONS]:
        try:
            found = await getattr(store, call.name)(*call.arguments, **dict(call.options))
        except QuotaExceeded as refused:
            found = str(refused)
        assert found == getattr(reference, call.name)(*call.arguments, **dict(call.options)), call
    await store.close()


def _settings(num_examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return settings(max_examples=num_examples, database=None, derandomize=True)


@_settings(40)
@given(st.lists(_writes | _tidies, min_size=6, max_size=16))
def test_memory(calls: list[_Call]) -> None:
    asyncio.run(_same(MemoryStore(), calls))


@_settings(15)
@given(st.lists(_writes | _tidies, min_size=6, max_size=16))
def test_a_file(tmp_path_factory: pytest.TempPathFactory, calls: list[_Call]) -> None:
    asyncio.run(_same(SqliteStore(tmp_path_factory.mktemp("store") / "sessions.db"), calls))


@_settings(15)
@given(st.lists(_writes | _tidies, min_size=6, max_size=16))
def test_valkey(valkey: ValkeyServer, calls: list[_Call]) -> None:
    valkey.flush()
    asyncio.run(_same(ValkeyStore(valkey.url, grace_seconds=3600), calls))


def test_valkey_reads_more_sessions_than_fit_one_batch(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(valkey_store, "_A_BATCH", 2)
    valkey.flush()
    record = SessionRecord("ann", "", "m", "1", "d", 1, 5, _NOW, 60.0, 0.0, b"12345")

    async def work() -> None:
        store = ValkeyStore(valkey.url, grace_seconds=3600)
        for k in range(5):
            made = replace(record, session_id=f"s{k}", expires_at=_NOW + k, model="mn"[k == 3])
            assert await store.create(made, now=_NOW - 1)
        assert await store.count_of("m", "1", now=_NOW - 1) == 4
        assert await store.count_of("m", "1", now=_NOW) == 3
        assert await store.count_of("n", "1", now=_NOW) == 1
        assert await store.count_of("m", "2", now=_NOW) == 0
        assert await store.tidy(now=_NOW, before=_NOW + 3) == Tidied(3, 0)
        assert await store.kept("ann") == OwnerUsage(2, 10)
        await store.close()

    asyncio.run(work())


def test_valkey_keeps_a_session_for_its_grace_and_forgets_it_then(valkey: ValkeyServer) -> None:
    valkey.flush()
    record = SessionRecord("ann", "one", "m", "1", "d", 1, 5, _NOW, 60.0, _NOW + 9.5, b"1")

    def forgotten_at() -> int:
        with valkey.client as client:
            return int(client.pexpiretime("nextchar:{=ann}:session:one"))

    async def work() -> None:
        store = ValkeyStore(valkey.url, grace_seconds=100)
        await store.create(record, now=_NOW)
        assert forgotten_at() == (_NOW + 109.5) * 1000
        await store.replace(replace(record, revision=2, expires_at=_NOW + 20), revision=1)
        assert forgotten_at() == (_NOW + 120) * 1000
        await store.touch("ann", "one", ttl_seconds=1.0, expires_at=_NOW + 30)
        assert forgotten_at() == (_NOW + 130) * 1000
        await store.close()

    asyncio.run(work())


def test_a_valkey_that_failed_is_not_asked_for_a_second_and_one_that_refuses_is(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    replace_in(monkeypatch, valkey_link, "time", monotonic=lambda: now)

    async def told(store: ValkeyStore) -> Unavailable:
        with pytest.raises(Unavailable) as caught:
            await store.kept("ann")
        assert caught.value.code == "store_unavailable"
        return caught.value

    async def work() -> None:
        nonlocal now
        store = ValkeyStore("valkey://127.0.0.1:1", grace_seconds=1)
        assert str(await told(store)) == "the session store does not answer"
        now += 0.999
        assert str(await told(store)) == "the session store did not answer a moment ago"
        now += 0.001
        assert str(await told(store)) == "the session store does not answer"
        await store.close()
        with valkey.client as client:
            client.flushall()
            client.set("nextchar:{=ann}:live", "no sorted set")
            client.set("nextchar:{=ann}:sizes", "no hash")
        store = ValkeyStore(valkey.url, grace_seconds=1)
        for _ in range(2):
            assert str(await told(store)).startswith("the session store refuses: WRONGTYPE")
        await store.close()
        valkey.flush()

    asyncio.run(work())
