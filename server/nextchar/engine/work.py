"""Defines what a request submits to an engine, and what the engine delivers for it."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.sampler import Doubles
from nextchar.errors import DeadlineExceeded, NextcharError
from nextchar.model.vocabulary import Ids

UNLIMITED = float("inf")  # seconds: no deadline, no timeout


class Level(IntEnum):
    """The levels of work in the order they are served: interactive requests, completions, bulk jobs."""

    INTERACTIVE = 0
    SAMPLING = 1
    BULK = 2


class FinishReason(StrEnum):
    """Why a lane has finished."""

    LENGTH = "length"
    STOP = "stop"
    GIVEN = "given"  # nothing was to be sampled: all given ids are read


@dataclass(slots=True)  # not frozen: thousands are made per second
class Delivery:
    """What a lane or a job has produced since its last delivery.

    `ids` and `logprobs` [k] are the symbols passed, given or drawn, and the log-probability of each;
    `top_ids` and `top_logprobs` [k, num_top] the likeliest symbols at each position, if requested. The last
    delivery has `finish` or `error`. `num_stop` is how many drawn ids at the end are the stop string or end
    symbol that ended it, `distribution` the log-probabilities [num_outputs] after the last given character,
    if requested. Of an adaptive lane all of these are the mixture's; `model_logprobs` and
    `model_distribution` are the network's own.
    """

    ids: Ids
    logprobs: Doubles
    top_ids: NDArray[np.int32] | None = None
    top_logprobs: NDArray[np.float32] | None = None
    finish: FinishReason | None = None
    num_stop: int = 0
    distribution: Doubles | None = None
    error: NextcharError | None = None
    model_logprobs: Doubles | None = None
    model_distribution: Doubles | None = None

    @property
    def last(self) -> bool:
        return self.finish is not None or self.error is not None


class Receiver(Protocol):
    """Receives deliveries; it is called where the engine's `deliver` hands them over."""

    def receive(self, work: "Work", delivery: Delivery, /) -> None: ...


class _NoReceiver:
    """Stands in until work has a receiver: a delivery to it is a bug."""

    def receive(self, _work: "Work", delivery: Delivery, /) -> None:
        raise AssertionError(f"no receiver for {delivery}")


@dataclass(slots=True, eq=False, kw_only=True)
class Work:
    """What a request submits: a lane or a job. The submitter sets its receiver; `tag` is the receiver's own.

    Times are monotonic seconds; `joined` is when it began to run. `engine` is the number of the engine that
    runs it. In the queue of its level the lowest `priority` goes first.
    """

    receiver: Receiver = field(default_factory=_NoReceiver)
    deadline: float = UNLIMITED
    priority: int = 0
    tag: int = 0
    submitted: float = 0.0
    joined: float = 0.0
    engine: int = -1

    @property
    def level(self) -> Level:
        raise NotImplementedError

    @property
    def num_strings(self) -> int:
        """The number of strings it counts for in the queue."""
        return 1

    @property
    def num_steps(self) -> int:
        """The number of steps it takes if nothing stops it."""
        raise NotImplementedError

    def failed(self, error: NextcharError) -> Delivery:
        """Returns the delivery that ends this work with an error."""
        return Delivery(np.empty(0, dtype=np.int64), np.empty(0), error=error)

    def timed_out(self) -> Delivery:
        """Returns the delivery that ends this work when its deadline has passed while it ran."""
        return self.failed(
            DeadlineExceeded("the request did not finish before its timeout; set a longer timeout")
        )


Outbox = list[tuple[Work, Delivery]]
