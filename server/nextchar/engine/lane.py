"""Defines the work of an engine: lanes, and jobs of strings to score.

A lane is one sequence in one row of the batch: it reads the begin symbol, then its given ids, and then, if
it samples, what it draws. Completions, next-character requests and single strings are lanes. A lane owns its
bookkeeping, which is touched on events only (join, end of a chunk, stop, cancel); between events, only the
arrays of `LaneArrays` know where it is. Many strings to score are one `ScoreJob`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.hot_tables import Reserved
from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.automaton import Automaton
from nextchar.engine.sampler import Doubles
from nextchar.engine.trie import Trie
from nextchar.engine.work import UNLIMITED, Level, Work
from nextchar.model.graph import StateArray
from nextchar.model.vocabulary import Ids


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """What a lane found when it read the last symbol too, to get the distribution after it.

    `arrays` by input name, each [size]; `distribution` holds log-probabilities [num_outputs].
    """

    arrays: Mapping[str, NDArray[Any]]
    distribution: Doubles

    @property
    def num_bytes(self) -> int:
        """The bytes of its arrays."""
        return self.distribution.nbytes + sum(array.nbytes for array in self.arrays.values())


@dataclass(frozen=True, slots=True, eq=False)
class LaneState:
    """The position of a lane: the states after all symbols but the last, which is to be read next.

    `arrays` by input name, each [size]. Before any character the last symbol is begin. With `ahead`, the step
    that reads the last symbol is known; it is never stored.
    """

    last_id: int
    arrays: Mapping[str, NDArray[Any]]
    ahead: Ahead | None = None

    def after(self, symbol_id: int) -> "tuple[LaneState, float] | None":
        """Returns the state after one more symbol, and its log-probability; None where a step is needed."""
        if self.ahead is None:
            return None
        return LaneState(symbol_id, self.ahead.arrays), float(self.ahead.distribution[symbol_id])


@dataclass(frozen=True, slots=True)
class Penalties:
    """The penalties on the log-probability of symbols that have occurred before.

    `presence` is subtracted once and `frequency` for every time a symbol was drawn; log-probabilities of
    symbols drawn or given are multiplied by `repetition`. 0, 0 and 1 are off.
    """

    presence: float = 0.0
    frequency: float = 0.0
    repetition: float = 1.0

    def __bool__(self) -> bool:
        return (self.presence, self.frequency, self.repetition) != (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a lane draws characters; `temperature` 0 is greedy; see `sampler.Filters` for the filters.

    `bias` holds pairs of an id and what is added to its log-probability. `stop` holds stop strings as ids,
    none empty. The random numbers are those of the seed from number `first_draw` on. `chars_per_delivery` 0
    delivers only full chunks and the end; otherwise the first character is delivered at once, and later ones
    when there are that many, or `seconds_per_delivery` after the last delivery.

    `automaton` is the pattern that the whole drawn text must match. `end_ids` are symbols that stop, also
    listed in `stop`; neither they nor the end symbol are drawn before `min_chars` characters, and a stop
    string counts only after so many. With `includes_stop`, a stop string is part of the text. With
    `reports_drawn_logprobs`, the log-probabilities delivered are those that were drawn from, after filters,
    bias, penalties and temperature, instead of the model's own.
    """

    max_chars: int
    seed: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    bias: tuple[tuple[int, float], ...] = ()
    penalties: Penalties = Penalties()
    stop: tuple[tuple[int, ...], ...] = ()
    first_draw: int = 0
    chars_per_delivery: int = 0
    seconds_per_delivery: float = UNLIMITED
    automaton: Automaton | None = None
    end_ids: tuple[int, ...] = ()
    min_chars: int = 0
    includes_stop: bool = False
    reports_drawn_logprobs: bool = False

    @property
    def filters(self) -> bool:
        """Whether filters exclude symbols from a draw."""
        some = self.top_k > 0 or self.top_p < 1 or self.min_p > 0 or self.typical_p < 1
        return self.temperature > 0 and some

    @property
    def needs_host(self) -> bool:
        """Whether its draws need `HostSampler`: more than the temperature that the step graph applies."""
        masked = self.automaton is not None or self.min_chars > 0
        reports = self.reports_drawn_logprobs
        return self.filters or masked or reports or bool(self.bias) or bool(self.penalties)

    @property
    def max_stop(self) -> int:
        """The length of the longest stop string."""
        return max((len(stop) for stop in self.stop), default=0)

    def matched_stop(self, recent: list[int], num_drawn: int) -> int:
        """Returns the length of the stop string that `num_drawn` drawn ids end with, or 0.

        `recent` are the last of these ids.
        """
        longest = num_drawn - self.min_chars
        return next(
            (len(s) for s in self.stop if len(s) <= longest and tuple(recent[-len(s) :]) == s),
            0,
        )


class LaneTrace:
    """Grows by one entry per step of its lane, which the graph then advances one character at a time.

    Entry k is what the lane holds after k given characters; a lane of n that wants a distribution has n + 1.
    The engine writes it until the last delivery, and nobody reads it before.
    """

    def __init__(self, *, states: bool = False, distributions: bool = False) -> None:
        self.wants_states, self.wants_distributions = states, distributions
        self.states: list[Mapping[str, StateArray]] = []  # by input name, each [size]
        self.distributions: list[Doubles] = []  # log-probabilities [num_outputs] of the next symbol
        self.model_distributions: list[Doubles] = []  # the network's own, of an adaptive lane

    def add_distribution(self, distribution: Doubles, own: Doubles | None) -> None:
        """Adds log-probabilities [num_outputs], and the network's own if they are a mixture."""
        self.distributions.append(distribution.astype(np.float64))
        if own is not None:
            self.model_distributions.append(own)


@dataclass(slots=True, eq=False)
class Lane(Work):
    """One sequence in one row.

    `given` are the ids after begin, or after what `start` has read, in order. With `sampling`, the lane draws
    after them; with `wants_distribution`, it takes one more step for the distribution after them; never both.
    With `keeps_state`, its `state` is set when the last symbol, given or drawn, is known; unless a stop
    string or the end symbol has ended it, when the row has read beyond.

    A lane with a `memory` is adaptive: every distribution that it reads, reports or draws from is the mixture
    of the network with what the memory holds, and what it reads joins the memory. With `keeps_state`, `kept`
    is the memory that belongs to `state`. A plain lane that keeps its state and wants the distribution after
    it keeps what it found `ahead` of that state too.

    A `trace` is filled step by step; only a lane that draws nothing may have one.
    """

    given: Ids
    sampling: Sampling | None = None
    num_top: int = 0
    wants_distribution: bool = False
    start: LaneState | None = None
    keeps_state: bool = False
    state: LaneState | None = None
    memory: Memory | None = None
    kept: Memory | None = None
    trace: LaneTrace | None = None

    # The engine's bookkeeping.
    row: int = -1
    table: Reserved | None = None  # rows for its counts
    num_read: int = 0  # given ids already put into chunks
    num_drawn: int = 0  # draws, or the step for the distribution, already put into chunks
    tail: list[int] = field(default_factory=list)  # last ids drawn before this chunk, for stop strings

    @property
    def level(self) -> Level:
        return Level.SAMPLING if self.sampling else Level.INTERACTIVE

    @property
    def draws_on_host(self) -> bool:
        """Whether `HostSampler` draws for it."""
        return self.needs_host or (self.sampling is not None and self.memory is not None)

    @property
    def needs_host(self) -> bool:
        """Whether its draws need more than a temperature."""
        return self.sampling is not None and self.sampling.needs_host

    @property
    def reads(self) -> bool:
        """Whether it passes any symbol, given or drawn."""
        return len(self.given) > 0 or self.sampling is not None

    @property
    def num_steps(self) -> int:
        """The number of steps this lane takes if nothing stops it."""
        return len(self.given) + (self.sampling.max_chars if self.sampling else self.wants_distribution)

    @property
    def num_planned(self) -> int:
        """The number of steps already put into chunks."""
        return self.num_read + self.num_drawn

    @property
    def all_planned(self) -> bool:
        """Whether the chunks so far hold all of this lane's steps but the one for the distribution."""
        drawn = self.sampling is None or self.num_drawn == self.sampling.max_chars
        return self.num_read == len(self.given) and drawn


@dataclass(slots=True, eq=False)
class ScoreJob(Work):
    """Strings to score together, as a trie; its one delivery has the log-probability of every node.

    With `start`, the strings continue from there: the trie's first symbol is the last one of that state.
    """

    trie: Trie
    start: LaneState | None = None

    @property
    def level(self) -> Level:
        return Level.BULK

    @property
    def num_strings(self) -> int:
        return self.trie.num_strings

    @property
    def num_steps(self) -> int:
        return int(self.trie.must_read.sum())
