"""A lane: one row of the batch, and where its next character comes from.

A lane reads the begin symbol, then its given ids; then, if it samples, what it draws. Completion,
scoring and next-character requests are all lanes. A lane owns its bookkeeping and is touched on events
(join, chunk end, stop, cancel); between events only the slab's arrays know where it is.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

import numpy as np

from nextchar.errors import NextcharError
from nextchar.sampler import Doubles, Indices
from nextchar.vocabulary import Ids

FOREVER = float("inf")


class Priority(IntEnum):
    """Who is admitted first."""

    INTERACTIVE = 0
    BULK = 1


class Finish(StrEnum):
    """Why a lane is done."""

    LENGTH = "length"
    STOP = "stop"
    GIVEN = "given"  # nothing was to be sampled: all given ids are read


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a lane draws characters; `temperature` 0 is greedy; see `sampler.Filters` for the others.

    `stop` are strings as ids, none empty. `chars_per_delivery` 0 delivers only full chunks and the end;
    otherwise the first character is delivered at once and the rest in groups of that size.
    """

    max_chars: int
    seed: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    stop: tuple[tuple[int, ...], ...] = ()
    chars_per_delivery: int = 0

    @property
    def filters(self) -> bool:
        """Whether some symbols are kept out of a draw."""
        return self.temperature > 0 and (self.top_k > 0 or self.top_p < 1 or self.min_p > 0)

    @property
    def max_stop(self) -> int:
        return max((len(stop) for stop in self.stop), default=0)

    def matched_stop(self, recent: list[int]) -> int:
        """The length of the stop string that the ids end with, or 0."""
        return next((len(stop) for stop in self.stop if tuple(recent[-len(stop) :]) == stop), 0)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a lane has produced since the last delivery.

    `ids` and `logprobs` [k]: the symbols passed, given or drawn, and what each was worth.
    `top_ids`, `top_logprobs` [k, num_top] if asked for. The last delivery has `finish` or `error`;
    `num_stop` is how many drawn ids at the end are the stop string or end symbol that ended it,
    `distribution` the log-probabilities [num_outputs] after the last given character, if asked for.
    """

    ids: Ids
    logprobs: Doubles
    top_ids: Indices | None = None
    top_logprobs: Doubles | None = None
    finish: Finish | None = None
    num_stop: int = 0
    distribution: Doubles | None = None
    error: NextcharError | None = None

    @property
    def last(self) -> bool:
        return self.finish is not None or self.error is not None


class Receiver(Protocol):
    """Who takes a lane's deliveries; called where the engine's `deliver` hands them over."""

    def receive(self, lane: "Lane", delivery: Delivery, /) -> None: ...


class _Nobody:
    """The receiver of a lane that has none yet: a delivery to it is a bug."""

    def receive(self, _lane: "Lane", delivery: Delivery, /) -> None:
        raise AssertionError(f"no receiver for {delivery}")


@dataclass(slots=True, eq=False)
class Lane:
    """One request's row.

    `given` are the ids after begin, in order. With `sampling`, it draws after them; with
    `wants_distribution` it takes one more step for what comes next; never both. Whoever submits the
    lane sets its receiver; `tag` is the receiver's own. Times are monotonic seconds.
    """

    given: Ids
    receiver: Receiver = field(default_factory=_Nobody)
    priority: Priority = Priority.INTERACTIVE
    sampling: Sampling | None = None
    num_top: int = 0
    wants_distribution: bool = False
    deadline: float = FOREVER
    tag: int = 0

    # The engine's bookkeeping.
    submitted: float = 0.0
    joined: float = 0.0
    row: int = -1
    num_read: int = 0  # given ids already put into chunks
    num_drawn: int = 0  # draws already put into chunks
    tail: list[int] = field(default_factory=list)  # last ids drawn before this chunk, for stop strings

    @property
    def num_steps(self) -> int:
        """How many steps this lane takes if nothing stops it."""
        return len(self.given) + (self.sampling.max_chars if self.sampling else self.wants_distribution)

    @property
    def all_planned(self) -> bool:
        """Whether the chunks so far hold all of this lane's steps but the one for the distribution."""
        drawn = self.sampling is None or self.num_drawn == self.sampling.max_chars
        return self.num_read == len(self.given) and drawn

    def failed(self, error: NextcharError) -> Delivery:
        """The delivery that ends this lane with an error."""
        return Delivery(np.empty(0, dtype=np.int64), np.empty(0), error=error)
