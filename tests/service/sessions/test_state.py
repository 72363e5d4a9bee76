"""A state is what was read and drawn, whichever way it came there: against a plain list of characters."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.in_process import InProcess, context, in_process

from nextchar.errors import InvalidRequest
from nextchar.service.inference.completion_plan import CompletionEnd
from nextchar.service.sessions import stepper as session_stepper
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import REWIND_CHARS, SessionStepper, _next_anchor

_KEPT = 4  # characters that can always be taken back, in these tests


@dataclass
class _Reference:
    """Keeps every character with the count of random numbers before it, and where the anchor is."""

    ids: list[int] = field(default_factory=list)
    drawn_before: list[int] = field(default_factory=list)
    num_drawn: int = 0
    anchor: int = 0
    marks: dict[str, "_Reference"] = field(default_factory=dict)

    def read(self, ids: list[int], num_given: int | None = None, num_drawn: int = 0) -> None:
        num_given = len(ids) if num_given is None else num_given
        self.ids += ids
        self.drawn_before += [self.num_drawn + max(0, k - num_given) for k in range(len(ids))]
        self.num_drawn += num_drawn
        if len(self.ids) - self.anchor > 2 * _KEPT:
            self.anchor = len(self.ids) - _KEPT

    def rewind(self, count: int) -> None:
        left = len(self.ids) - count
        if count:
            self.num_drawn = self.drawn_before[left]
        self.ids, self.drawn_before = self.ids[:left], self.drawn_before[:left]

    def copy(self) -> "_Reference":
        return replace(self, ids=[*self.ids], drawn_before=[*self.drawn_before], marks={})


_ids = st.lists(st.integers(0, 30), max_size=11)
_moves = st.one_of(
    st.tuples(st.just("feed"), _ids),
    st.tuples(st.just("sample"), _ids, st.integers(0, 11), st.booleans(), st.integers(0, 3)),
    st.tuples(st.just("rewind"), st.integers(0, 8)),
    st.tuples(st.just("mark")),
    st.tuples(st.just("back")),
)


@pytest.fixture(scope="module")
def made(models: Path) -> Iterator[InProcess]:
    with in_process(models) as running:
        yield running


@settings(max_examples=25, database=None, derandomize=True)
@given(st.lists(_moves, min_size=1, max_size=9))
def test_it_is_the_state_of_its_characters(made: InProcess, moves: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_stepper, "REWIND_CHARS", _KEPT)
        made.run(_walk(made, moves))


async def _walk(made: InProcess, moves: list[tuple[Any, ...]]) -> None:
    model = made.service.served_models.get("tiny")
    stepper = SessionStepper(model, context(), made.service.metrics)
    state, plain = SessionState(5), _Reference()
    for name, *arguments in moves:
        state = await _moved(name, arguments, stepper, state, plain)
        recent = plain.ids[plain.anchor :]
        assert (state.seed, state.here.position, state.here.num_drawn) == (5, len(plain.ids), plain.num_drawn)
        assert (state.anchor.position, state.recent.tolist()) == (plain.anchor, recent)
        assert state.drawn_before.tolist() == plain.drawn_before[plain.anchor :]
        assert state.max_rewind == len(recent)
    for snapshot in (state.here, state.anchor):
        whole = await stepper.distribution(
            SessionState(0), np.array(plain.ids[: snapshot.position], dtype=np.int64)
        )
        assert np.array_equal(await stepper.distribution(SessionState(0, snapshot)), whole)


async def _moved(
    name: str, arguments: list[Any], stepper: SessionStepper, state: SessionState, plain: _Reference
) -> SessionState:
    if name == "feed":
        (ids,) = arguments
        plain.read(ids)
        return (await stepper.feed(state, np.array(ids, dtype=np.int64))).state
    if name == "sample":
        ids, num_given, _, num_stop = arguments
        num_given = min(num_given, len(ids))
        num_drawn = len(ids) - num_given + num_stop
        plain.read(ids, num_given, num_drawn)
        end = CompletionEnd(np.array(ids, dtype=np.int64), num_given, num_drawn, None)
        return await stepper.sampled(state, end)
    if name == "rewind":
        (count,) = arguments
        if count > state.max_rewind:
            with pytest.raises(InvalidRequest) as caught:
                await stepper.rewound(state, count)
            assert caught.value.param == "num_chars"
            return state
        plain.rewind(count)
        return await stepper.rewound(state, count)
    if name == "mark":
        plain.marks["m"] = plain.copy()
        return state.with_checkpoint("m")
    if "m" not in plain.marks:
        return state
    mark = plain.marks["m"]
    plain.ids, plain.drawn_before = [*mark.ids], [*mark.drawn_before]
    plain.num_drawn, plain.anchor = mark.num_drawn, len(mark.ids)
    return state.rolled_back("m")


@given(st.integers(0, 2 * REWIND_CHARS), st.integers(0, 4 * REWIND_CHARS))
def test_an_anchor_is_laid_only_where_it_becomes_necessary(max_rewind: int, num_ids: int) -> None:
    state = SessionState(0, recent=np.zeros(max_rewind, dtype=np.int64))
    cut = _next_anchor(state, num_ids)
    if max_rewind + num_ids <= 2 * REWIND_CHARS or num_ids <= REWIND_CHARS:
        assert cut == 0
    else:
        assert num_ids - cut == REWIND_CHARS


def test_a_feed_asks_for_what_comes_next_only_if_it_is_wanted(made: InProcess) -> None:
    model = made.service.served_models.get("tiny")

    async def work() -> None:
        stepper = SessionStepper(model, context(), made.service.metrics)
        ids = np.array([1, 2, 3])
        plain, wanted = await asyncio.gather(
            stepper.feed(SessionState(1), ids), stepper.feed(SessionState(1), ids, wants_distribution=True)
        )
        assert plain.distribution is None
        assert np.array_equal(wanted.next_logprobs, await stepper.distribution(plain.state))
        assert np.array_equal(plain.logprobs, wanted.logprobs)
        first = await stepper.distribution(SessionState(1))
        assert plain.logprobs[0] == pytest.approx(first[1])
        nothing = await stepper.feed(plain.state, ids[:0])
        assert (len(nothing.logprobs), nothing.distribution) == (0, None)
        long = await stepper.feed(SessionState(1), np.ones(3 * REWIND_CHARS, dtype=np.int64))
        assert len(long.logprobs) == 3 * REWIND_CHARS
        assert long.state.max_rewind == REWIND_CHARS

    made.run(work())
