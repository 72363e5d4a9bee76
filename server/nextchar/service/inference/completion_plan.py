"""Describes a completion as data: where it starts, what is sampled, and what is shown of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.lane import Lane, LaneState, Sampling
from nextchar.model.vocabulary import Ids
from nextchar.repository.model import Model
from nextchar.schemas.completion import Completion
from nextchar.service.inference.completion_text import CompletionText, Prompt, Shown


@dataclass(frozen=True, slots=True, eq=False)
class CompletionEnd:
    """Holds what a completion has passed: the ids that are text, of which the first `num_given` were given.

    `num_drawn` random numbers were drawn: one for each id after the given, then those of a stop string.
    `state` is the lane's state after the last id, where it is known, and `memory` what it has learned, if it
    is adaptive. `after_return` says that the text before
    the end was given, and ended in a carriage return that was read as a newline.
    """

    ids: Ids
    num_given: int
    num_drawn: int
    state: LaneState | None
    after_return: bool = False
    memory: Memory | None = None


SaveEnd = Callable[[CompletionEnd], Awaitable[Mapping[str, object]]]


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Says where a completion starts: with nothing before it, or with a state after earlier text.

    With a `memory`, it learns what it reads and draws.

    `continues` says that the request names a state or a session, even one before any character;
    `after_return`, that its text ended in a carriage return that was read as a newline. `seed` and
    `first_draw` are the random numbers of a request without a seed. `fields` are part of every piece of the
    answer. `save` is awaited before the last piece, and returns fields of that.
    """

    model: Model
    state: LaneState | None = None
    memory: Memory | None = None
    continues: bool = False
    after_return: bool = False
    seed: int | None = None
    first_draw: int = 0
    answer_type: type[Completion] = Completion
    fields: Mapping[str, Any] = field(default_factory=dict)
    save: SaveEnd | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CompletionPlan:
    """Lists what a request has sampled: each prompt by each of `samplings`, prompt after prompt.

    `left_out` are stop strings in normal form that are not part of the text.
    """

    start: Start
    prompts: Sequence[Prompt]
    samplings: Sequence[Sampling]
    shown: Shown
    left_out: Sequence[str]
    num_best: int

    def samples(self) -> list["Sample"]:
        """Returns a lane and the text it makes for each prompt and sampling, in order."""
        vocabulary, made = self.start.model.graph.vocabulary, list[Sample]()
        for prompt in self.prompts:
            for sampling in self.samplings:
                shown = replace(self.shown, index=len(made))
                lane = Lane(
                    prompt.ids,
                    sampling=sampling,
                    num_top=shown.most_top,
                    start=self.start.state,
                    memory=self.start.memory,
                    keeps_state=self.start.save is not None,
                    tag=len(made),
                )
                made.append(Sample(lane, CompletionText(vocabulary, prompt, self.left_out, shown)))
        return made


@dataclass(slots=True)
class Sample:
    """Tracks one completion while it runs: its lane, its text, and when characters of it last came."""

    lane: Lane
    text: CompletionText
    num_seen: int = 0
    last_seen: float = 0.0

    def count(self, num_ids: int) -> tuple[int, int]:
        """Counts a delivery's ids; returns how many of them were read and how many drawn."""
        read = min(num_ids, max(0, len(self.lane.given) - self.num_seen))
        self.num_seen += num_ids
        return read, num_ids - read
