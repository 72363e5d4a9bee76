"""Moves a session's state through the engine: on by characters, back by characters."""

from dataclasses import dataclass, replace

import numpy as np

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.lane import Lane, LaneTrace
from nextchar.engine.sampler import Doubles
from nextchar.engine.work import Delivery
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids
from nextchar.repository.model import Model
from nextchar.service.inference.completion_plan import CompletionEnd
from nextchar.service.inference.score_math import joined_logprobs, joined_model_logprobs
from nextchar.service.inference.submission import run_to_end
from nextchar.service.sessions.memories import passed_over, runs
from nextchar.service.sessions.state import Marks, SessionState, Snapshot
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

# So many of the characters read last can be taken back, and up to twice as many where the anchor is that far;
# fewer after a rewind, none after a rollback: there is no state from before the anchor.
REWIND_CHARS = 128
_NO_IDS: Ids = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Holds log-probabilities [num_outputs] of what comes next; of a mixture, the network's own too."""

    logprobs: Doubles
    model_logprobs: Doubles | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fed:
    """Holds the state after some characters, and their log-probabilities [t].

    `distribution` holds log-probabilities [num_outputs] of what comes next, where they were asked for. In an
    adaptive session both are mixtures, and `model_logprobs` and `model_distribution` the network's own.
    `each` has what comes after each of the characters, where that was asked for.
    """

    state: SessionState
    logprobs: Doubles
    distribution: Doubles | None = None
    model_logprobs: Doubles | None = None
    model_distribution: Doubles | None = None
    each: tuple[Predicted, ...] = ()

    @property
    def last(self) -> Predicted:
        """What comes after the last character, where it was asked for."""
        return Predicted(self.next_logprobs, self.model_distribution)

    @property
    def next_logprobs(self) -> Doubles:
        """The distribution, where it was asked for."""
        assert self.distribution is not None
        return self.distribution


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Holds what one lane has passed."""

    snapshot: Snapshot
    logprobs: Doubles
    distribution: Doubles | None = None
    model_logprobs: Doubles | None = None
    model_distribution: Doubles | None = None
    each: tuple[Predicted, ...] = ()


class SessionStepper:
    """Moves states of one model's sessions for one request; raises as `run_to_end`."""

    def __init__(self, model: Model, ctx: RequestContext, metrics: Metrics) -> None:
        self._model, self._ctx, self._metrics = model, ctx, metrics

    async def feed(
        self,
        state: SessionState,
        ids: Ids,
        *,
        after_return: bool = False,
        wants_distribution: bool = False,
        wants_each: bool = False,
    ) -> Fed:
        """Reads some characters, in one lane; `after_return` says how their text ended.

        With `wants_each`, the distribution after each of them is kept on the way.

        A long text that passes the place of the next anchor takes two: it is cut there. A short one takes a
        second lane whenever the anchor has fallen too far back, which is every `REWIND_CHARS` characters.
        """
        cut = _next_anchor(state, len(ids))
        to_anchor = await self._read(state.here, ids[:cut], wants_each=wants_each)
        read = await self._read(
            to_anchor.snapshot, ids[cut:], wants_distribution=wants_distribution, wants_each=wants_each
        )
        drawn_before = np.full(len(ids), state.here.num_drawn, dtype=np.int64)
        moved = state.moved(read.snapshot, ids, drawn_before)
        logprobs = np.concatenate([to_anchor.logprobs, read.logprobs]) if cut else read.logprobs
        own = read.model_logprobs
        if cut and own is not None and to_anchor.model_logprobs is not None:
            own = np.concatenate([to_anchor.model_logprobs, own])
        self._metrics.count_adaptive(self._ctx, logprobs, own)
        settled = await self.settled(moved, [state.here, to_anchor.snapshot])
        ended = settled.ended(after_return=after_return)
        each = to_anchor.each + read.each
        return Fed(ended, logprobs, read.distribution, own, read.model_distribution, each)

    async def replayed(self, state: SessionState, ids: Ids, learned: Marks | None = None) -> SessionState:
        """Reads characters as they were read before, where not `learned` as context only.

        They are as many as can be taken back, so that the anchor stays.
        """
        here = (await self._reread(state.here, ids, learned)).snapshot
        drawn_before = np.full(len(ids), state.here.num_drawn, dtype=np.int64)
        return state.moved(here, ids, drawn_before, learned)

    async def distribution(self, state: SessionState, ids: Ids = _NO_IDS) -> Doubles:
        """Returns the log-probabilities of what comes after some characters, [num_outputs]."""
        return (await self.prediction(state, ids)).next_logprobs

    async def prediction(self, state: SessionState, ids: Ids = _NO_IDS) -> Fed:
        """Returns the distribution after some characters, and `state` as it is."""
        here = state.here
        lane = Lane(ids, start=here.state, wants_distribution=True, memory=here.memory)
        deliveries = await self._run(lane)
        last, logprobs = deliveries[-1], joined_logprobs(deliveries)
        self._metrics.count_adaptive(self._ctx, logprobs, joined_model_logprobs(deliveries))
        return Fed(state, logprobs, last.distribution, model_distribution=last.model_distribution)

    async def sampled(self, state: SessionState, end: CompletionEnd) -> SessionState:
        """Moves a state to the end of a completion that started there."""
        ids, num_drawn = end.ids, state.here.num_drawn + end.num_drawn
        if not len(ids):
            here = replace(state.here, num_drawn=num_drawn, after_return=end.after_return)
            return state.moved(here, ids, ids)
        learned = _learned(state, end)
        reached = Snapshot(state.here.position + len(ids), num_drawn, end.state, memory=end.memory)
        if end.state is None:  # the lane has read beyond the text, which is read once more
            reached = (await self._reread(state.here, ids, learned)).snapshot
        here = replace(reached, num_drawn=num_drawn, after_return=end.after_return)
        drawn_before = state.here.num_drawn + np.maximum(np.arange(len(ids)) - end.num_given, 0)
        return await self.settled(state.moved(here, ids, drawn_before, learned), [state.here])

    async def rewound(self, state: SessionState, num_chars: int) -> SessionState:
        """Takes the last characters back.

        Raises:
            InvalidRequest: they are more than the session remembers.
        """
        if num_chars > state.max_rewind:
            raise InvalidRequest(
                f"num_chars is {num_chars}; at most the last {state.max_rewind} characters can be taken back "
                "now (max_rewind of the session)",
                param="num_chars",
            )
        if num_chars == 0:
            return state
        left = state.max_rewind - num_chars
        learned = None if state.learned is None else state.learned[:left]
        here = (await self._reread(state.anchor, state.recent[:left], learned)).snapshot
        return state.rewound(num_chars, replace(here, num_drawn=int(state.drawn_before[left])))

    async def settled(self, state: SessionState, snapshots: list[Snapshot]) -> SessionState:
        """Moves the anchor on if it is too far back; `snapshots` are places on the way that are known."""
        if state.max_rewind <= 2 * REWIND_CHARS:
            return state
        target = state.here.position - REWIND_CHARS
        reached = [snapshot for snapshot in (state.anchor, *snapshots) if snapshot.position <= target]
        start = max(reached, key=lambda snapshot: snapshot.position)
        first, last = start.position - state.anchor.position, target - state.anchor.position
        learned = None if state.learned is None else state.learned[first:last]
        anchor = (await self._reread(start, state.recent[first:last], learned)).snapshot
        drawn_before = int(state.drawn_before[last])
        return state.anchored(Snapshot(target, drawn_before, anchor.state, memory=anchor.memory))

    async def _read(
        self, snapshot: Snapshot, ids: Ids, *, wants_distribution: bool = False, wants_each: bool = False
    ) -> _Read:
        """Runs one lane from a snapshot; none where there is nothing to do.

        Where the step that reads the snapshot's last symbol is known, the first character needs none.
        """
        if not len(ids) and not wants_distribution:
            nothing = np.empty(0)
            return _Read(snapshot, nothing, model_logprobs=None if snapshot.memory is None else nothing)
        start, known = snapshot.state, list[float]()
        if len(ids) and start is not None and snapshot.memory is None and (after := start.after(int(ids[0]))):
            start, known = after[0], [after[1]]
        lane = Lane(
            ids[len(known) :],
            start=start,
            keeps_state=len(ids) > 0,
            wants_distribution=wants_distribution or (wants_each and len(ids) > 0),
            memory=snapshot.memory,
            trace=LaneTrace(distributions=True) if wants_each else None,
        )
        deliveries = await self._run(lane)
        last, passed = deliveries[-1], snapshot
        if len(ids):
            position = snapshot.position + len(ids)
            passed = Snapshot(position, snapshot.num_drawn, lane.state, memory=lane.kept)
        return _Read(
            passed,
            np.concatenate([known, joined_logprobs(deliveries)]) if known else joined_logprobs(deliveries),
            last.distribution,
            joined_model_logprobs(deliveries),
            last.model_distribution,
            _each(lane.trace, len(ids)),
        )

    async def _reread(self, snapshot: Snapshot, ids: Ids, learned: Marks | None) -> _Read:
        """Runs from a snapshot as ids were read before: where not `learned`, as context only."""
        if learned is None or snapshot.memory is None:
            return await self._read(snapshot, ids)
        read = _Read(snapshot, np.empty(0))
        for first, last, counts in runs(learned):
            here = read.snapshot
            memory = None if counts else passed_over(_known(here.memory), ids[first:last])
            read = await self._read(here if counts else replace(here, memory=None), ids[first:last])
            if memory is not None:
                read = replace(read, snapshot=replace(read.snapshot, memory=memory))
        return read

    async def _run(self, lane: Lane) -> list[Delivery]:
        (deliveries,) = await run_to_end(self._model, [lane], ctx=self._ctx, metrics=self._metrics)
        return deliveries


def _each(trace: LaneTrace | None, num_chars: int) -> tuple[Predicted, ...]:
    """Returns what came after each of the last characters of a lane, which was not given those known."""
    if trace is None or not num_chars:
        return ()
    if trace.model_distributions:
        pairs = zip(trace.distributions, trace.model_distributions, strict=True)
        found = [Predicted(mixed, own) for mixed, own in pairs]
    else:
        found = list(map(Predicted, trace.distributions))
    return tuple(found[-num_chars:])


def _known(memory: Memory | None) -> Memory:
    assert memory is not None
    return memory


def _learned(state: SessionState, end: CompletionEnd) -> Marks | None:
    """Returns which ids of a completion are learned; None for all."""
    memory = state.here.memory
    if memory is None or memory.adaptive.learns_drawn:
        return None
    return np.arange(len(end.ids)) < end.num_given


def _next_anchor(state: SessionState, num_ids: int) -> int:
    """How many of the next `num_ids` characters lie before the anchor that they make necessary; 0: none."""
    if state.max_rewind + num_ids <= 2 * REWIND_CHARS:
        return 0
    return max(0, num_ids - REWIND_CHARS)
