"""A session whose version is gone: replayed into the newest one where that is wanted, else told so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.in_process import InProcess, Sessions, in_process, owner_context
from support.tiny_models import LINES, TEXT, TinyModel, write_models

from nextchar.model.vocabulary import Vocabulary
from nextchar.repository.retired_versions import PastVersion
from nextchar.schemas.limits import SessionLimits
from nextchar.schemas.sessions import SampleRequest
from nextchar.service.sessions.model_versions import _translated
from nextchar.service.sessions.stores.memory import MemoryStore

_KNOWN = " abcdefghijklmno"
_NEW = TinyModel(seed=9, vocabulary=Vocabulary(tuple(_KNOWN), unknown="refuse"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", {"tiny": TEXT, "other": LINES})


def _renewed(made: InProcess, folder: Path) -> None:
    """Serves version 2 and lets version 1 go, sessions or not."""
    write_models(folder, {"tiny": _NEW}, version=2)
    made.run(made.service.model_manager.load("tiny:2"))
    _unloaded(made, "tiny:1")


def _unloaded(made: InProcess, model: str) -> None:
    manager, served = made.service.model_manager, made.service.served_models
    manager.unload(model)
    name, _, version = model.partition(":")
    found = served.running(name, version)
    assert found is not None
    manager._retired.remove(found)


def _drawn(sessions: Sessions, count: int) -> str:
    request = SampleRequest(max_tokens=count)
    answer = sessions.made.run(sessions.calls.text.sample("one", request, owner_context()))
    return str(answer.choices[0].text)


@contextmanager
def _sessions(folder: Path, *, replays: bool = True) -> Iterator[Sessions]:
    store = MemoryStore()
    with in_process(folder, store=store, session_limits=SessionLimits(replays=replays)) as made:
        yield Sessions(made, store)


def _refused(sessions: Sessions) -> tuple[str, str | None, str]:
    return sessions.refused(sessions.calls.get("one", owner_context()))


def test_a_replayed_session_still_knows_that_its_text_ended_in_a_carriage_return(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="ab\r")
        _renewed(sessions.made, folder)
        fed = sessions.feed("\nc")  # the newer version refuses a line feed, which this one is no more
        assert (fed.position, fed.model_version) == (4, "2")


def test_it_goes_on_from_the_characters_that_the_new_version_knows(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="abcz")
        drawn = _drawn(sessions, 3)
        known = "".join(c for c in "abcz" + drawn if c in _KNOWN)
        _renewed(sessions.made, folder)
        info = sessions.info()
        assert (info.model_version, info.position, info.revision) == ("2", 7, 3)
        assert info.max_rewind == len(known)
        assert sessions.info() == info  # once
        assert sessions.metric("nextchar_sessions_replayed_total") == 1
        sessions.create("fresh", prime=known)
        feeds = [sessions.feed("ab", name, **{"return": "last"}) for name in ("one", "fresh")]
        assert feeds[0].data == feeds[1].data
        assert feeds[0].position == 9
        (loaded,) = [r for r in sessions.store._records.values() if r.session_id == "one"]
        state = sessions.made.service.session_manager.unseal(
            owner_context(), sessions.made.service.served_models.get("tiny"), loaded.sealed
        )
        assert (state.seed, state.here.num_drawn, state.here.position) == (3, 3, 9)
        assert state.anchor.position == 9 - state.max_rewind
        assert len(state.drawn_before) == state.max_rewind


def test_where_all_characters_are_known_each_keeps_its_random_number(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="ab")
        _drawn(sessions, 4)
        write_models(folder, {"tiny": TinyModel(seed=4)}, version=2)
        sessions.made.run(sessions.made.service.model_manager.load("tiny:2"))
        _unloaded(sessions.made, "tiny:1")
        info = sessions.info()
        (loaded,) = sessions.store._records.values()
        state = sessions.made.service.session_manager.unseal(
            owner_context(), sessions.made.service.served_models.get("tiny"), loaded.sealed
        )
        assert state.drawn_before.tolist() == [0, 0, 0, 1, 2, 3]
        assert (info.position, info.max_rewind, state.anchor.position, state.here.num_drawn) == (6, 6, 0, 4)


def test_without_replays_it_is_told_that_its_version_is_gone(folder: Path) -> None:
    with _sessions(folder, replays=False) as sessions:
        sessions.create(prime="abc")
        _renewed(sessions.made, folder)
        says = "the session is of model tiny:1, which is no longer served here"
        assert _refused(sessions) == ("state_model_mismatch", None, says)


def test_with_no_version_left_it_is_told_so(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="abc")
        _unloaded(sessions.made, "tiny:1")
        says = "the session is of model tiny:1; no version of it is served"
        assert _refused(sessions) == ("state_model_mismatch", None, says)


def test_a_version_that_was_never_here_is_not_replayed(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="abc")
        sessions.store._records["ann", "one"] = replace(
            sessions.store._records["ann", "one"], digest="another file"
        )
        says = "the session is of model tiny:1, which is no longer served here"
        assert _refused(sessions) == ("state_model_mismatch", None, says)


def test_a_server_that_drains_goes_on_with_live_sessions_also_with_replayed_ones(folder: Path) -> None:
    with _sessions(folder) as sessions:
        sessions.create(prime="abc")
        ctx: Any = owner_context()
        sessions.made.run(sessions.made.service.session_manager.open(ctx, "one"))
        assert (ctx.model, ctx.version) == ("tiny", "1")
        _renewed(sessions.made, folder)
        sessions.made.service.lifecycle.drain(0.0)
        assert (sessions.info().model_version, sessions.info().position) == ("2", 3)
        assert sessions.feed("de").position == 5


def test_characters_are_translated_by_what_they_are_and_others_left_out() -> None:
    past = PastVersion("d", Vocabulary(("a", "é", "b")), {})
    ids = past.vocabulary.encode("aéb\N{SNOWMAN}a")
    whole = Vocabulary(("b", "a", "e\N{COMBINING ACUTE ACCENT}"[:1], "é"))
    assert _translated(ids, past, whole).tolist() == [1, 3, 0, whole.unknown_id, 1]
    refusing = Vocabulary(("b", "a"), unknown="refuse")
    assert _translated(ids, past, refusing).tolist() == [1, 0, 1]
    nfc = Vocabulary(("é",), unknown="refuse", normalization="NFC")
    assert _translated(ids, past, nfc).tolist() == [0]
