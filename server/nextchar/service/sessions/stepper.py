"""A session's state through the engine: on by characters, back by characters."""

import numpy as np

from nextchar.engine.lane import Lane, LaneState
from nextchar.engine.sampler import Doubles
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Ids
from nextchar.repository.served_models import Model
from nextchar.request_context import RequestContext
from nextchar.service.inference.score_math import joined_logprobs
from nextchar.service.inference.submission import run_to_end
from nextchar.service.sessions.state import SessionState, Snapshot
from nextchar.telemetry.metrics import Metrics

REWIND_CHARS = 128  # can always be taken back; up to twice as many where the anchor is that far


class SessionStepper:
    """Moves states of one model's sessions for one call; raises as `run_to_end`."""

    def __init__(self, model: Model, ctx: RequestContext, metrics: Metrics) -> None:
        self._model, self._call, self._metrics = model, ctx, metrics

    async def feed(self, state: SessionState, ids: Ids) -> tuple[SessionState, Doubles]:
        """After some characters, and what each was worth."""
        # A long text passes the place of the next anchor on its way: there it is cut.
        cut = min(max(0, len(ids) - REWIND_CHARS), len(ids))
        marks, logprobs = [state.here], []
        for piece in (ids[:cut], ids[cut:]):
            if len(piece):
                mark, worth = await self._feed(marks[-1], piece)
                marks.append(mark)
                logprobs.append(worth)
        drawn_before = np.full(len(ids), state.here.num_drawn, dtype=np.int64)
        moved = state.moved(marks[-1], ids, drawn_before)
        return await self.settled(moved, marks), np.concatenate([np.empty(0), *logprobs])

    async def distribution(self, state: SessionState) -> Doubles:
        """Log-probabilities of what comes next, [num_outputs]."""
        lane = Lane(np.empty(0, dtype=np.int64), start=state.here.state, wants_distribution=True)
        (deliveries,) = await run_to_end(self._model, [lane], ctx=self._call, metrics=self._metrics)
        distribution = deliveries[-1].distribution
        assert distribution is not None
        return distribution

    async def sampled(
        self, state: SessionState, ids: Ids, num_given: int, num_drawn: int, end: LaneState | None
    ) -> SessionState:
        """After given and then drawn characters; `end` is the lane's state after the last, where known.

        `num_drawn` random numbers were drawn: one for each id after the given, then those of a stop string.
        """
        if not len(ids):
            here = Snapshot(state.here.position, state.here.num_drawn + num_drawn, state.here.state)
            return state.moved(here, ids, ids)
        if end is None:  # the lane has read beyond: its text is read once more
            mark, _ = await self._feed(state.here, ids)
            end = mark.state
        here = Snapshot(state.here.position + len(ids), state.here.num_drawn + num_drawn, end)
        drawn_before = state.here.num_drawn + np.maximum(np.arange(len(ids)) - num_given, 0)
        return await self.settled(state.moved(here, ids, drawn_before), [state.here])

    async def rewound(self, state: SessionState, num_chars: int) -> SessionState:
        """Without the last characters.

        Raises:
            InvalidRequest: more than are remembered.
        """
        if num_chars > state.max_rewind:
            raise InvalidRequest(
                f"num_chars is {num_chars}, the last {state.max_rewind} characters can be taken back",
                param="num_chars",
            )
        if num_chars == 0:
            return state
        left = state.max_rewind - num_chars
        here, _ = await self._feed(state.anchor, state.recent[:left])
        return state.rewound(num_chars, Snapshot(here.position, int(state.drawn_before[left]), here.state))

    async def settled(self, state: SessionState, marks: list[Snapshot]) -> SessionState:
        """With an anchor not too far back; `marks` are places on the way that are known already."""
        if state.max_rewind <= 2 * REWIND_CHARS:
            return state
        target = state.here.position - REWIND_CHARS
        reached = [mark for mark in (state.anchor, *marks) if mark.position <= target]
        start = max(reached, key=lambda mark: mark.position)
        first, last = start.position - state.anchor.position, target - state.anchor.position
        mark, _ = await self._feed(start, state.recent[first:last])
        return state.anchored(Snapshot(target, int(state.drawn_before[last]), mark.state))

    async def _feed(self, mark: Snapshot, ids: Ids) -> tuple[Snapshot, Doubles]:
        if not len(ids):
            return mark, np.empty(0)
        lane = Lane(ids, start=mark.state, keeps_state=True)
        (deliveries,) = await run_to_end(self._model, [lane], ctx=self._call, metrics=self._metrics)
        return Snapshot(mark.position + len(ids), mark.num_drawn, lane.state), joined_logprobs(deliveries)
