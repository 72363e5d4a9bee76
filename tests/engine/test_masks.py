"""A row draws what its pattern and its least length leave, whatever the rows beside it may draw."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextchar.engine.automaton import START, Automaton
from nextchar.engine.lane import Sampling
from nextchar.engine.masks import Masks

SYMBOLS, END = 4, 3  # three characters and the end symbol
Text = tuple[int, ...]
# Texts of a pattern; and some which lead nowhere, whose paths are to be cut.
TEXTS = st.frozensets(st.lists(st.integers(0, 2), max_size=5).map(tuple), min_size=1, max_size=8)


def automaton_of(
    texts: frozenset[Text], dead: frozenset[Text] = frozenset()
) -> tuple[Automaton, dict[Text, int]]:
    """Returns an automaton that accepts these texts, and the state after each of their prefixes."""
    prefixes = sorted({text[:k] for text in texts | dead for k in range(len(text) + 1)})
    states = {prefix: state for state, prefix in enumerate(prefixes)}
    next_states = np.full((len(states), SYMBOLS), -1, dtype=np.int32)
    for prefix, state in states.items():
        if prefix:
            next_states[states[prefix[:-1]], prefix[-1]] = state
    return Automaton.of(next_states, [states[text] for text in texts]), states


def more_after(texts: frozenset[Text], prefix: Text) -> int:
    """Returns the least number of characters from a prefix to the end of a text; a large one if none."""
    return min((len(t) - len(prefix) for t in texts if t[: len(prefix)] == prefix), default=99)


def can_go_on(texts: frozenset[Text], prefix: Text, num_left: int) -> bool:
    """Returns whether a text of at most so many more characters continues a prefix."""
    return any(more_after(texts, (*prefix, c)) < num_left for c in range(SYMBOLS))


@settings(max_examples=30)
@given(TEXTS, TEXTS)
def test_an_automaton_knows_how_far_the_next_end_is_and_cuts_what_has_none(
    texts: frozenset[Text], dead: frozenset[Text]
) -> None:
    automaton, states = automaton_of(texts, dead)
    assert states[()] == START
    for prefix, state in states.items():
        least = more_after(texts, prefix)
        if least == 99:
            continue
        assert automaton.distance[state] == least
        nexts = [states[*prefix, c] if more_after(texts, (*prefix, c)) < 99 else -1 for c in range(SYMBOLS)]
        assert automaton.next_states[state].tolist() == nexts


@settings(max_examples=30)
@given(TEXTS, TEXTS)
def test_a_text_goes_on_only_where_it_can_end_in_time(texts: frozenset[Text], dead: frozenset[Text]) -> None:
    automaton, states = automaton_of(texts, dead)
    prefixes = [prefix for prefix in states if more_after(texts, prefix) < 99 for _ in range(7)]
    num_left = np.resize(np.arange(7), len(prefixes))
    rows = np.array([states[prefix] for prefix in prefixes])
    for prefix, left, allowed, over in zip(
        prefixes,
        num_left.tolist(),
        automaton.allowed(rows, num_left).tolist(),
        automaton.over(rows, num_left).tolist(),
        strict=True,
    ):
        assert allowed == [more_after(texts, (*prefix, c)) < left for c in range(SYMBOLS)]
        assert over != can_go_on(texts, prefix, left or 99)


@dataclass
class Row:
    """What one row may draw, told from its texts alone."""

    sampling: Sampling
    texts: frozenset[Text] | None
    drawn: Text = field(default=())

    @property
    def num_left(self) -> int:
        return self.sampling.max_chars - len(self.drawn)

    def allowed(self, symbol: int, end_id: int | None) -> bool:
        ends = {*self.sampling.end_ids, end_id}
        if len(self.drawn) < self.sampling.min_chars and symbol in ends:
            return False
        if self.texts is None:
            return True
        if symbol == end_id:
            return self.drawn in self.texts
        return more_after(self.texts, (*self.drawn, symbol)) < self.num_left

    @property
    def over(self) -> bool:
        return self.texts is not None and not can_go_on(self.texts, self.drawn, self.num_left or 99)


class Rows:
    """Rows that join, draw, move and leave as those of an engine, beside the masks that are tried."""

    def __init__(self, seed: int, end_id: int | None) -> None:
        self.rng = np.random.default_rng(seed)
        self.masks, self.end_id = Masks(6, SYMBOLS, end_id), end_id
        self.rows: list[Row] = []
        self.patterns = [
            (texts, automaton_of(texts)[0])
            for texts in (
                frozenset({(0, 1), (0, 1, 0, 1), (2,)}),
                frozenset({(), (1,), (1, 1), (1, 1, 1), (1, 1, 1, 2), (0, 0, 0, 0, 0, 0)}),
            )
        ]

    def join(self) -> None:
        kind, numbers = int(self.rng.integers(4)), self.rng.integers(0, 4, 3).tolist()
        texts, automaton = self.patterns[kind] if kind < 2 else (None, None)
        sampling = Sampling(
            max_chars=2 + numbers[0] * 2,
            seed=1,
            automaton=automaton,
            min_chars=numbers[1],
            end_ids=((), (0,), (1, 2), (2,))[numbers[2]],
        )
        self.masks.join(len(self.rows), sampling)
        self.rows.append(Row(sampling, texts))

    def leave(self, row: int) -> None:
        self.masks.leave(self.rows[row].sampling)
        last = self.rows.pop()
        if row < len(self.rows):
            self.masks.move(len(self.rows), row)
            self.rows[row] = last

    def draw(self) -> None:
        """Compares the masks of some rows, and draws what one of them allows in each."""
        chosen = np.flatnonzero(self.rng.random(len(self.rows)) < 0.7)
        scores = self.rng.random((len(chosen), SYMBOLS))
        before = scores.copy()
        self.masks.forbid(scores, chosen)
        rows = [self.rows[k] for k in chosen.tolist()]
        may = np.array([[row.allowed(s, self.end_id) for s in range(SYMBOLS)] for row in rows], dtype=bool)
        assert scores.tolist() == np.where(may.reshape(scores.shape), before, -np.inf).tolist()
        going = np.flatnonzero(
            [row.num_left > 0 and any(allowed) for row, allowed in zip(rows, may, strict=True)]
        )
        drawn = scores[going].argmax(axis=1)
        self.masks.advance(chosen[going], drawn)
        for k, symbol in zip(going.tolist(), drawn.tolist(), strict=True):
            rows[k].drawn += (symbol,)

    def leave_finished(self) -> None:
        for row in reversed(range(len(self.rows))):
            ended = self.rows[row].num_left == 0 or (self.rows[row].drawn or (0,))[-1] == self.end_id
            if ended or self.rows[row].over or self.rng.random() < 0.1:
                self.leave(row)


@pytest.mark.parametrize("end_id", [END, None])
def test_every_row_is_masked_as_it_would_be_alone(end_id: int | None) -> None:
    for seed in range(40):
        tried = Rows(seed, end_id)
        for _ in range(20):
            while len(tried.rows) < 6 and tried.rng.random() < 0.8:
                tried.join()
            tried.draw()
            for row, kept in enumerate(tried.rows):
                if kept.texts is not None and kept.drawn and kept.drawn[-1] != end_id:
                    assert bool(tried.masks.over[row]) == kept.over
            assert tried.masks.num_patterns == sum(row.texts is not None for row in tried.rows)
            tried.leave_finished()
