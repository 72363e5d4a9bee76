"""Sealed states: whole for whom they were made, nothing for anybody else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_models import TEXT

from nextchar.engine.lane import LaneState
from nextchar.errors import StateInvalid, StateModelMismatch
from nextchar.security.seal import made_for
from nextchar.service.sessions.codec import MAGIC, StateCodec, _header, state_bytes
from nextchar.service.sessions.state import SessionState, Snapshot

_SHAPES = TEXT.step().state_shapes
_CODEC = StateCodec(b"k" * 32)


def _lane_state(seed: int) -> LaneState:
    draw = np.random.default_rng(seed)
    arrays = {name: draw.integers(0, 255, size).astype(dtype) for name, (dtype, size) in _SHAPES.items()}
    return LaneState(seed % 30, arrays)


def _state() -> SessionState:
    anchor, here = Snapshot(100, 3, _lane_state(1)), Snapshot(105, 4, _lane_state(2))
    recent, drawn = np.array([1, 2, 3, 4, 5]), np.array([3, 3, 3, 3, 4])
    return SessionState(2**64 - 1, here, anchor, recent, drawn, {"x": here, "start": Snapshot()})


def _seal(codec: StateCodec = _CODEC) -> bytes:
    return codec.seal(_state(), owner="ann", digest="d1")


def _open(
    sealed: bytes, *, owner: str = "ann", digest: str = "d1", codec: StateCodec = _CODEC
) -> SessionState:
    return codec.open(sealed, owner=owner, digest=digest, shapes=_SHAPES)


def test_what_was_sealed_is_opened() -> None:
    state, found = _state(), _open(_seal())
    assert found.seed == state.seed
    assert found.recent.tolist() == state.recent.tolist()
    assert found.drawn_before.tolist() == state.drawn_before.tolist()
    assert found.checkpoints["x"] is found.here
    assert found.checkpoints["start"].state is None
    for a, b in ((found.here, state.here), (found.anchor, state.anchor)):
        assert (a.position, a.num_drawn) == (b.position, b.num_drawn)
        assert a.state is not None
        assert b.state is not None
        assert a.state.last_id == b.state.last_id
        assert all(np.array_equal(a.state.arrays[name], b.state.arrays[name]) for name in _SHAPES)
    assert state_bytes(found) == state_bytes(state) == 2 * TEXT.step().state_bytes + 12 * 5


def test_a_place_after_a_carriage_return_is_one_when_it_is_opened() -> None:
    state = _state().with_checkpoint("before").ended(after_return=True).with_checkpoint("after")
    found = _open(_CODEC.seal(state, owner="ann", digest="d1"))
    assert found.here.after_return
    assert found.checkpoints["after"] is found.here
    assert not found.checkpoints["before"].after_return
    assert not found.anchor.after_return


def test_a_state_without_a_carriage_return_is_what_earlier_versions_wrote() -> None:
    assert set(_header(_state(), [])) == {"seed", "num_recent", "marks", "here", "anchor", "checkpoints"}


def test_an_empty_session_is_a_few_bytes() -> None:
    sealed = _CODEC.seal(SessionState(0), owner="", digest="d")
    assert len(sealed) < 150
    assert _open(sealed, owner="", digest="d").here.state is None


def test_what_was_made_for_another_owner_is_refused() -> None:
    with pytest.raises(StateInvalid, match="state is damaged, or was made for another owner"):
        _open(_seal(), owner="bob")


def test_what_was_sealed_with_another_key_says_so() -> None:
    with pytest.raises(StateInvalid, match="state was sealed with another key"):
        _open(_seal(), codec=StateCodec(b"j" * 32))


def test_the_mark_of_a_key_opens_nothing() -> None:
    other = StateCodec(b"j" * 32)
    mark = other.seal(_state(), owner="ann", digest="d1")[12:16]
    sealed = _seal()
    with pytest.raises(StateInvalid, match="damaged"):
        _open(sealed[:12] + mark + sealed[16:], codec=other)


def test_what_was_made_for_another_model_says_so() -> None:
    sealed = _seal()
    assert made_for(sealed, "d1")
    assert not made_for(sealed, "d2")
    with pytest.raises(StateModelMismatch, match="another model, or another version"):
        _open(sealed, digest="d2")


def test_a_state_cannot_be_relabelled_for_another_model() -> None:
    other = _CODEC.seal(_state(), owner="ann", digest="d2")
    forged = other[:12] + _seal()[12:]
    with pytest.raises(StateInvalid):
        _open(forged, digest="d2")


def test_owner_and_digest_cannot_be_shifted_into_each_other() -> None:
    sealed = _CODEC.seal(_state(), owner="a", digest="bc")
    mark = _CODEC.seal(_state(), owner="ab", digest="c")[:12]
    with pytest.raises(StateInvalid):
        _open(mark + sealed[12:], owner="ab", digest="c")


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_changed_or_missing_byte_is_noticed(data: st.DataObject) -> None:
    sealed = _seal()
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + bytes([sealed[at] ^ (1 << data.draw(st.integers(0, 7)))]) + sealed[at + 1 :]
    for bad in (changed, sealed[:at], sealed + b"\0"):
        with pytest.raises((StateInvalid, StateModelMismatch)):
            _open(bad)


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + bytes(15), b"PK\x03\x04" + bytes(99)])
def test_anything_else_is_no_state(content: bytes) -> None:
    with pytest.raises(StateInvalid):
        _open(content)
