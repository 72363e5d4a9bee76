"""An adaptive session is what its text has taught it, whichever way it came there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.in_process import InProcess, context, in_process
from support.tiny_models import STEP_GRAPHS, TinyModel

from nextchar.engine.adaptive.memory import Memory, empty_memory
from nextchar.engine.adaptive.options import Adaptive
from nextchar.engine.lane import Lane, Sampling
from nextchar.repository.model import Model
from nextchar.service.inference.completion_plan import CompletionEnd
from nextchar.service.inference.submission import run_to_end
from nextchar.service.sessions import stepper as session_stepper
from nextchar.service.sessions.codec import ADAPTIVE_MAGIC, MAGIC, StateCodec
from nextchar.service.sessions.memories import passed_over, translated
from nextchar.service.sessions.state import SessionState, Snapshot
from nextchar.service.sessions.stepper import SessionStepper

_CODEC = StateCodec(b"k" * 32)
_KEPT = 4  # characters that can always be taken back, in these tests
_SMALL = Adaptive((1, 2), 1024, learns_drawn=True)
_ALL, _GIVEN = _SMALL, Adaptive((1, 2), 1024)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    folder = tmp_path_factory.mktemp("cells")
    for cell, precision in STEP_GRAPHS:
        target = folder / f"{cell}-{precision}" / "1"
        target.mkdir(parents=True)
        content = TinyModel(cell, seed=3).step_bytes(precision)
        (target / f"step-{precision}.onnx").write_bytes(content)
    with in_process(folder) as running:
        yield running


def _stepper(made: InProcess, name: str) -> tuple[SessionStepper, Model]:
    model = made.service.served_models.get(name)
    return SessionStepper(model, context(), made.service.metrics), model


def _equal(one: Memory | None, other: Memory | None) -> bool:
    assert one is not None
    assert other is not None
    pairs = ((one.ids, other.ids), (one.learned, other.learned), (one.weights, other.weights))
    same = all(np.array_equal(a, b) for a, b in pairs)
    return same and (one.adaptive, one.position) == (other.adaptive, other.position)


def _same_place(one: Snapshot, other: Snapshot) -> bool:
    assert one.state is not None
    assert other.state is not None
    same = [np.array_equal(values, other.state.arrays[name]) for name, values in one.state.arrays.items()]
    places = (one.position, one.state.last_id) == (other.position, other.state.last_id)
    return all(same) and places and _equal(one.memory, other.memory)


_ids = st.lists(st.integers(0, 5), max_size=11)
_moves = st.one_of(
    st.tuples(st.just("feed"), _ids),
    st.tuples(st.just("sample"), _ids, st.integers(0, 11)),
    st.tuples(st.just("rewind"), st.integers(0, 8)),
    st.tuples(st.just("mark")),
    st.tuples(st.just("back")),
    st.tuples(st.just("stored")),
)


@pytest.mark.parametrize("adaptive", [_ALL, _GIVEN], ids=["all", "given"])
@settings(max_examples=20, database=None, derandomize=True, deadline=None)
@given(st.lists(_moves, min_size=1, max_size=9))
def test_it_is_what_its_characters_have_taught_it(
    made: InProcess, adaptive: Adaptive, moves: list[tuple[Any, ...]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_stepper, "REWIND_CHARS", _KEPT)
        made.run(_walk(made, adaptive, moves))


async def _walk(made: InProcess, adaptive: Adaptive, moves: list[tuple[Any, ...]]) -> None:
    stepper, model = _stepper(made, "lstm-int8")
    state, plain, mark = SessionState.begun(5, empty_memory(adaptive)), list[tuple[int, bool]](), None
    for name, *arguments in moves:
        if name == "feed":
            state = (await stepper.feed(state, np.array(arguments[0], dtype=np.int64))).state
            plain += [(symbol, True) for symbol in arguments[0]]
        elif name == "sample":
            ids, num_given = arguments[0], min(arguments[1], len(arguments[0]))
            end = CompletionEnd(np.array(ids, dtype=np.int64), num_given, len(ids) - num_given, None)
            state = await stepper.sampled(state, end)
            plain += [(symbol, k < num_given or adaptive.learns_drawn) for k, symbol in enumerate(ids)]
        elif name == "rewind":
            count = min(arguments[0], state.max_rewind)
            state = await stepper.rewound(state, count)
            plain = plain[: len(plain) - count]
        elif name == "mark":
            state, mark = state.with_checkpoint("m"), list(plain)
        elif name == "back" and mark is not None:
            state, plain = state.rolled_back("m"), list(mark)
        elif name == "stored":
            sealed = _CODEC.seal(state, owner="ann", digest="d")
            state = _CODEC.open(sealed, owner="ann", digest="d", shapes=model.graph.state_shapes)
    for snapshot in (state.here, state.anchor):
        if not snapshot.position:
            assert _equal(snapshot.memory, empty_memory(adaptive))
            continue
        ids = np.array([symbol for symbol, _ in plain[: snapshot.position]], dtype=np.int64)
        learned = np.array([counts for _, counts in plain[: snapshot.position]])
        whole = await stepper._reread(Snapshot(memory=empty_memory(adaptive)), ids, learned)
        assert _same_place(snapshot, whole.snapshot)


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_what_a_completion_has_drawn_is_in_the_memory_that_it_keeps(
    made: InProcess, cell: str, precision: str
) -> None:
    """Drawn text that is not learned, kept by the lane itself, is what reading it again leaves."""
    made.run(_drawn(made, f"{cell}-{precision}"))


async def _drawn(made: InProcess, name: str) -> None:
    stepper, model = _stepper(made, name)
    for adaptive in (_ALL, _GIVEN):
        begun = SessionState.begun(5, empty_memory(adaptive))
        given_ids = np.array([1, 2, 3, 1, 2, 3], dtype=np.int64)
        lane = Lane(
            given_ids, sampling=Sampling(30, 7), keeps_state=True, memory=begun.here.memory, start=None
        )
        (deliveries,) = await run_to_end(model, [lane], ctx=context(), metrics=made.service.metrics)
        ids = np.concatenate([delivery.ids for delivery in deliveries])
        known = CompletionEnd(ids, 6, 30, lane.state, memory=lane.kept)
        reread = CompletionEnd(ids, 6, 30, None)
        one, other = [await stepper.sampled(begun, end) for end in (known, reread)]
        assert _same_place(one.here, other.here)


def test_text_that_is_passed_over_leaves_the_window_as_read_text_does(made: InProcess) -> None:
    made.run(_passed_over(made))


async def _passed_over(made: InProcess) -> None:
    stepper, _ = _stepper(made, "gru-float32")
    ids = np.arange(3000, dtype=np.int64) % 7
    read = (await stepper.feed(SessionState.begun(0, empty_memory(_ALL)), ids)).state.here.memory
    assert read is not None
    for cut in (0, 1, 1023, 1024, 1025, 2999):
        passed = passed_over(passed_over(empty_memory(_ALL), ids[:cut]), ids[cut:])
        assert (passed.position, passed.first) == (read.position, read.first)
        assert np.array_equal(passed.ids, read.ids)
        assert not passed.learned.any()


def test_a_memory_in_another_vocabulary_has_the_characters_that_it_knows() -> None:
    memory = passed_over(empty_memory(_ALL), np.arange(1500, dtype=np.int64) % 5)
    moved = translated(memory, lambda ids: ids[ids != 3] + 1)
    known = memory.ids[memory.ids != 3] + 1
    assert (moved.position, moved.first) == (len(known), 0)
    assert np.array_equal(moved.ids, known)
    assert translated(empty_memory(_ALL), lambda ids: ids).position == 0


def test_states_of_adaptive_sessions_have_a_magic_of_their_own() -> None:
    for memory, magic in ((None, MAGIC), (empty_memory(_ALL), ADAPTIVE_MAGIC)):
        sealed = _CODEC.seal(SessionState.begun(1, memory), owner="", digest="d")
        assert sealed.startswith(magic)
        opened = _CODEC.open(sealed, owner="", digest="d", shapes={})
        assert (opened.here.memory is None) == (memory is None)
        assert opened.anchor.memory is opened.here.memory
