"""What an engine works on: lanes, and jobs of strings to score.

A lane is one row of the batch, and where its next character comes from: it reads the begin symbol,
then its given ids; then, if it samples, what it draws. Completions, next-character requests and single
strings are lanes. It owns its bookkeeping and is touched on events (join, chunk end, stop, cancel);
between events only the slab's arrays know where it is. Many strings to score are one `ScoreJob`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.automaton import Automaton
from nextchar.engine.sampler import Doubles
from nextchar.engine.trie import Trie
from nextchar.errors import NextcharError
from nextchar.model.vocabulary import Ids

FOREVER = float("inf")


class Level(IntEnum):
    """Who goes first: live requests, then completions, then jobs."""

    INTERACTIVE = 0
    SAMPLING = 1
    BULK = 2


class FinishReason(StrEnum):
    """Why a lane is done."""

    LENGTH = "length"
    STOP = "stop"
    GIVEN = "given"  # nothing was to be sampled: all given ids are read


@dataclass(frozen=True, slots=True, eq=False)
class LaneState:
    """Where a lane stands: the states after all symbols but the last, which is to be read next.

    `arrays` by input name, each [size]. Before any character the last symbol is begin.
    """

    last_id: int
    arrays: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Penalties:
    """What is taken from the log-probability of symbols that were there before.

    `presence` once and `frequency` for every time a symbol was drawn; log-probabilities of symbols drawn
    or given are multiplied by `repetition`. 0, 0 and 1 are off.
    """

    presence: float = 0.0
    frequency: float = 0.0
    repetition: float = 1.0

    def __bool__(self) -> bool:
        return (self.presence, self.frequency, self.repetition) != (0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a lane draws characters; `temperature` 0 is greedy; see `sampler.Filters` for the others.

    `bias` are pairs of id and what is added to its log-probability. `stop` are strings as ids, none
    empty. Random numbers are those of the seed from number `first_draw` on. `chars_per_delivery` 0 delivers
    only full chunks and the end; otherwise the first character is delivered at once, and then what there is
    when it is that many, or `seconds_per_delivery` after the last.

    `automaton` is the pattern that all of the drawn text must match. `end_ids` are symbols that stop, among
    the `stop`s; neither they nor the end symbol are drawn before `min_chars` characters, and a stop string
    counts only after so many. With `keeps_stop` a stop string is part of the text. With `tells_drawn` the
    log-probabilities told are those that were drawn from, not the model's own.
    """

    max_chars: int
    seed: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    bias: tuple[tuple[int, float], ...] = ()
    penalties: Penalties = Penalties()
    stop: tuple[tuple[int, ...], ...] = ()
    first_draw: int = 0
    chars_per_delivery: int = 0
    seconds_per_delivery: float = FOREVER
    automaton: Automaton | None = None
    end_ids: tuple[int, ...] = ()
    min_chars: int = 0
    keeps_stop: bool = False
    tells_drawn: bool = False

    @property
    def filters(self) -> bool:
        """Whether some symbols are kept out of a draw."""
        return self.temperature > 0 and (self.top_k > 0 or self.top_p < 1 or self.min_p > 0)

    @property
    def shaped(self) -> bool:
        """Whether its draws need more than a temperature, which the step graph knows."""
        masked = self.automaton is not None or self.min_chars > 0
        return self.filters or masked or self.tells_drawn or bool(self.bias) or bool(self.penalties)

    @property
    def max_stop(self) -> int:
        return max((len(stop) for stop in self.stop), default=0)

    def matched_stop(self, recent: list[int], num_drawn: int) -> int:
        """The length of the stop string that `num_drawn` drawn ids end with, or 0; `recent` are the last."""
        longest = num_drawn - self.min_chars
        return next(
            (len(s) for s in self.stop if len(s) <= longest and tuple(recent[-len(s) :]) == s),
            0,
        )


@dataclass(slots=True)  # not frozen: thousands are made a second
class Delivery:
    """What a lane or a job has produced since the last delivery.

    `ids` and `logprobs` [k]: the symbols passed, given or drawn, and what each was worth.
    `top_ids`, `top_logprobs` [k, num_top] if asked for. The last delivery has `finish` or `error`;
    `num_stop` is how many drawn ids at the end are the stop string or end symbol that ended it,
    `distribution` the log-probabilities [num_outputs] after the last given character, if asked for.
    """

    ids: Ids
    logprobs: Doubles
    top_ids: NDArray[np.int32] | None = None
    top_logprobs: NDArray[np.float32] | None = None
    finish: FinishReason | None = None
    num_stop: int = 0
    distribution: Doubles | None = None
    error: NextcharError | None = None

    @property
    def last(self) -> bool:
        return self.finish is not None or self.error is not None


class Receiver(Protocol):
    """Who takes deliveries; called where the engine's `deliver` hands them over."""

    def receive(self, work: "Work", delivery: Delivery, /) -> None: ...


class _Nobody:
    """The receiver of work that has none yet: a delivery to it is a bug."""

    def receive(self, _work: "Work", delivery: Delivery, /) -> None:
        raise AssertionError(f"no receiver for {delivery}")


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """What a request submits. The caller sets its receiver; `tag` is the receiver's own.

    Times are monotonic seconds; `joined` is when it began to run. `engine` is who runs it.
    """

    receiver: Receiver = field(default_factory=_Nobody)
    deadline: float = FOREVER
    priority: int = 0  # among those that wait at its level; the lowest first
    tag: int = 0
    submitted: float = 0.0
    joined: float = 0.0
    engine: int = -1

    @property
    def level(self) -> Level:
        raise NotImplementedError

    @property
    def num_strings(self) -> int:
        """What it counts for in the waiting line."""
        return 1

    @property
    def num_steps(self) -> int:
        """How many steps it takes if nothing stops it."""
        raise NotImplementedError

    def failed(self, error: NextcharError) -> Delivery:
        """The delivery that ends this with an error."""
        return Delivery(np.empty(0, dtype=np.int64), np.empty(0), error=error)


Outbox = list[tuple[Work, Delivery]]


@dataclass(slots=True, eq=False)
class Lane(Work):
    """One row.

    `given` are the ids after begin, or after what `start` has read, in order. With `sampling`, it draws
    after them; with `wants_distribution` it takes one more step for what comes next; never both. With
    `keeps_state` its `state` is set when the last symbol, given or drawn, is known; unless a stop string
    or the end symbol has ended it, when the rows have read beyond.
    """

    given: Ids
    sampling: Sampling | None = None
    num_top: int = 0
    wants_distribution: bool = False
    start: LaneState | None = None
    keeps_state: bool = False
    state: LaneState | None = None

    # The engine's bookkeeping.
    row: int = -1
    num_read: int = 0  # given ids already put into chunks
    num_drawn: int = 0  # draws already put into chunks
    tail: list[int] = field(default_factory=list)  # last ids drawn before this chunk, for stop strings

    @property
    def level(self) -> Level:
        return Level.SAMPLING if self.sampling else Level.INTERACTIVE

    @property
    def num_steps(self) -> int:
        """How many steps this lane takes if nothing stops it."""
        return len(self.given) + (self.sampling.max_chars if self.sampling else self.wants_distribution)

    @property
    def num_planned(self) -> int:
        """Steps already put into chunks."""
        return self.num_read + self.num_drawn

    @property
    def all_planned(self) -> bool:
        """Whether the chunks so far hold all of this lane's steps but the one for the distribution."""
        drawn = self.sampling is None or self.num_drawn == self.sampling.max_chars
        return self.num_read == len(self.given) and drawn


@dataclass(slots=True, eq=False)
class ScoreJob(Work):
    """Strings to score together, as a trie; its one delivery has the log-probability of every node.

    With `start`, they go on from there: the trie's first symbol is the last one of it.
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
