"""The calls of sessions: a text that goes on from where it was, forks, goes back, and travels."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

import numpy as np

from nextchar.call import Call
from nextchar.completer import Completer, make_sampling, make_seed
from nextchar.completion import join_choices
from nextchar.errors import InvalidRequest, SessionConflict, Unavailable
from nextchar.intake import Intake, count_unknown
from nextchar.lane import Finish, Lane
from nextchar.limits import SessionLimits
from nextchar.metrics import Metrics
from nextchar.schemas import ScoreResponse, make_usage
from nextchar.scorer import Scorer
from nextchar.scoring import entropy_bits, next_chars
from nextchar.session import SessionState
from nextchar.session_codec import state_bytes
from nextchar.session_keeper import OpenSession, SessionKeeper
from nextchar.session_schemas import (
    MAX_EACH_CHARS,
    CheckpointRequest,
    CreateSessionRequest,
    Distribution,
    FeedRequest,
    FeedResponse,
    ForkRequest,
    RewindRequest,
    SampleRequest,
    SessionCompletion,
    SessionInfo,
    SessionList,
    SessionNextRequest,
    SessionNextResponse,
    SessionScoreRequest,
)
from nextchar.session_steps import SessionSteps
from nextchar.session_store import Record

T = TypeVar("T")
_ATTEMPTS = 3  # at a change, when another replica was quicker
_MAX_PAGE = 1000
_PURGE_SECONDS = 60.0
logger = logging.getLogger(__name__)


class Sessions:
    """Each method is one call; it raises what `Service` raises, and the errors of sessions."""

    def __init__(
        self,
        keeper: SessionKeeper,
        intake: Intake,
        completer: Completer,
        scorer: Scorer,
        metrics: Metrics,
        limits: SessionLimits,
    ) -> None:
        self._keeper, self._intake, self._limits = keeper, intake, limits
        self._completer, self._scorer, self._metrics = completer, scorer, metrics

    async def create(self, request: CreateSessionRequest, call: Call) -> SessionInfo:
        """A new session at its priming text's end."""
        model = self._intake.model(request.model, call)
        ids = self._intake.encode(request.prime, model=model, call=call, param="prime")
        self._metrics.observe_size(call, len(ids))
        state = SessionState(make_seed(request.seed))
        state, _ = await SessionSteps(model, call, self._metrics).feed(state, ids)
        record = await self._keeper.create(
            call, model, state, session_id=request.session_id, ttl_seconds=request.ttl_seconds
        )
        self._metrics.count_chars(call, fed=len(ids))
        return _info(record, state)

    async def get(self, session_id: str, call: Call) -> SessionInfo:
        """What a session is; it is not renewed."""
        opened = await self._keeper.open(call, session_id)
        return _info(opened.record, opened.state)

    async def list(self, call: Call, *, after: str = "", limit: int = 100) -> SessionList:
        """The caller's live sessions, by id."""
        if not 1 <= limit <= _MAX_PAGE:
            raise InvalidRequest(f"limit: must be 1 to {_MAX_PAGE}, is {limit}", param="limit")
        records = await self._keeper.page(call, after=after, limit=limit + 1)
        more = records[limit - 1].session_id if len(records) > limit else None
        return SessionList(data=[_info(record) for record in records[:limit]], next_after=more)

    async def delete(self, session_id: str, call: Call) -> None:
        """End a session."""
        async with self._keeper.in_order(call, session_id):
            await self._keeper.delete(call, session_id)

    async def feed(self, session_id: str, request: FeedRequest, call: Call) -> FeedResponse:
        """Characters that came, and what may come next."""
        if request.return_ == "each" and len(request.text) > MAX_EACH_CHARS:
            raise InvalidRequest(
                f"text has {len(request.text)} characters; with return: each the limit is {MAX_EACH_CHARS}",
                param="text",
            )

        async def change(opened: OpenSession, steps: SessionSteps) -> tuple[SessionState, FeedResponse]:
            return await self._feed(opened, steps, request, call)

        answer, record = await self._changed(session_id, call, change)
        return answer.model_copy(update={"revision": record.revision})

    async def _feed(
        self, opened: OpenSession, steps: SessionSteps, request: FeedRequest, call: Call
    ) -> tuple[SessionState, FeedResponse]:
        model, state = opened.model, opened.state
        ids = self._intake.encode(request.text, model=model, call=call, param="text")
        self._metrics.observe_size(call, len(ids))
        found: list[Distribution] = []
        total = 0.0
        for piece in np.split(ids, len(ids)) if request.return_ == "each" and len(ids) else [ids]:
            state, logprobs = await steps.feed(state, piece)
            total += float(logprobs.sum())
            if request.return_ != "none":
                found.append(_distribution(await steps.distribution(state), opened, request.top))
        self._metrics.count_chars(call, fed=len(ids))
        last = found[-1] if request.return_ == "last" else None
        return state, FeedResponse(
            session_id=opened.record.session_id,
            model=model.name,
            model_version=model.version,
            position=state.here.position,
            revision=0,
            logprob=total,
            num_unknown=count_unknown(ids, model.graph.vocabulary),
            data=last.data if last else found if request.return_ == "each" else None,
            entropy_bits=last.entropy_bits if last else None,
        )

    async def next(self, session_id: str, request: SessionNextRequest, call: Call) -> SessionNextResponse:
        """The distribution of the next character; the session stays where it is."""
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
            steps = SessionSteps(opened.model, call, self._metrics)
            found = _distribution(await steps.distribution(opened.state), opened, request.top)
            await self._keeper.touch(opened)
        return SessionNextResponse(
            session_id=session_id,
            position=opened.record.position,
            revision=opened.record.revision,
            model=opened.model.name,
            model_version=opened.model.version,
            usage=make_usage(0),
            **dict(found),
        )

    async def score(self, session_id: str, request: SessionScoreRequest, call: Call) -> ScoreResponse:
        """log p of strings as continuations; the session stays where it is."""
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
            nothing = np.empty(0, dtype=np.int64)
            start = opened.state.here.state
            answer = await self._scorer.score_after(request, opened.model, nothing, start, call)
            await self._keeper.touch(opened)
        return answer

    async def sample(self, session_id: str, request: SampleRequest, call: Call) -> SessionCompletion:
        """Characters drawn after the session's text: the pieces of `stream`, joined."""
        async with aclosing(self.stream(session_id, request, call)) as pieces:
            parts = [piece async for piece in pieces]
        choice = join_choices([part.choices[0] for part in parts])
        return parts[-1].model_copy(update={"choices": [choice]})

    async def stream(
        self, session_id: str, request: SampleRequest, call: Call
    ) -> AsyncGenerator[SessionCompletion]:
        """Characters as they are drawn. The session has moved when the last piece is given, which says so;
        if nobody takes that, it stays where it was.
        """
        self._intake.check_max_tokens(request.max_tokens)
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
            state = opened.state
            sampling = make_sampling(opened.model, request, seed=state.seed, first_draw=state.here.num_drawn)
            nothing = np.empty(0, dtype=np.int64)
            lane = Lane(nothing, sampling=sampling, start=state.here.state, keeps_state=True)
            drawn, num_stop = [nothing], 0
            async with aclosing(self._completer.run(opened.model, lane, request, call)) as deliveries:
                async for piece, delivery in deliveries:
                    drawn.append(delivery.ids)
                    num_stop += delivery.num_stop
                    update: dict[str, object] = {"session_id": session_id}
                    if delivery.last:
                        ids = np.concatenate(drawn)
                        record = await self._sampled(opened, lane, ids, num_stop, delivery.finish, call)
                        update |= {"position": record.position, "revision": record.revision}
                    if piece is not None:
                        yield SessionCompletion(**(dict(piece) | update))

    async def _sampled(
        self,
        opened: OpenSession,
        lane: Lane,
        ids: np.ndarray[tuple[int], np.dtype[np.int64]],
        num_stop: int,
        finish: Finish | None,
        call: Call,
    ) -> Record:
        steps = SessionSteps(opened.model, call, self._metrics)
        text = ids[: len(ids) - num_stop]  # a stop string is no part of what the client was given
        end = lane.state if finish is Finish.LENGTH else None
        state = await steps.sampled(opened.state, text, len(ids), end)
        return await self._keeper.keep(call, opened, state)

    async def fork(self, session_id: str, request: ForkRequest, call: Call) -> SessionInfo:
        """A second session at the same place, with the same way back."""
        async with self._keeper.in_order(call, session_id):
            opened = await self._keeper.open(call, session_id)
        record = await self._keeper.create(
            call,
            opened.model,
            opened.state,
            session_id=request.session_id,
            ttl_seconds=opened.record.ttl_seconds,
        )
        return _info(record, opened.state)

    async def checkpoint(self, session_id: str, request: CheckpointRequest, call: Call) -> SessionInfo:
        """Give the place a name to come back to; a name that is there already moves here."""

        def named(state: SessionState) -> SessionState:
            limit = self._limits.max_checkpoints
            if len(state.checkpoints) >= limit and request.name not in state.checkpoints:
                raise InvalidRequest(f"the session has {limit} checkpoints, the limit", param="name")
            return state.with_checkpoint(request.name)

        return await self._moved(session_id, call, named)

    async def rollback(self, session_id: str, request: CheckpointRequest, call: Call) -> SessionInfo:
        """Back to a checkpoint."""

        def back(state: SessionState) -> SessionState:
            if request.name not in state.checkpoints:
                known = ", ".join(sorted(state.checkpoints)) or "none"
                raise InvalidRequest(
                    f"there is no checkpoint {request.name!r}; there is: {known}", param="name"
                )
            return state.rolled_back(request.name)

        return await self._moved(session_id, call, back)

    async def rewind(self, session_id: str, request: RewindRequest, call: Call) -> SessionInfo:
        """Take the last characters back."""

        async def change(opened: OpenSession, steps: SessionSteps) -> tuple[SessionState, SessionState]:
            state = await steps.rewound(opened.state, request.num_chars)
            return state, state

        state, record = await self._changed(session_id, call, change)
        return _info(record, state)

    async def export(self, session_id: str, call: Call) -> bytes:
        """The session's state as bytes for `restore`, here or on a server with the same key and model."""
        return (await self._keeper.open(call, session_id)).record.sealed

    async def restore(self, session_id: str, sealed: bytes, call: Call) -> SessionInfo:
        """Put a session where the bytes say; the session exists, and is of the model they were made for.

        Raises:
            StateInvalid: they are no state for it; it stays where it is.
        """

        def replaced(opened: OpenSession) -> SessionState:
            return self._keeper.unseal(call, opened.model, sealed)

        async def change(opened: OpenSession, _: SessionSteps) -> tuple[SessionState, SessionState]:
            state = replaced(opened)
            return state, state

        state, record = await self._changed(session_id, call, change)
        return _info(record, state)

    async def purge_for_ever(self) -> None:
        """Now and then, forget the sessions that expired a while ago."""
        while True:
            await asyncio.sleep(_PURGE_SECONDS)
            try:
                await self._keeper.purge()
            except Unavailable as error:
                logger.warning("expired sessions are not forgotten now: %s", error)

    async def _moved(
        self, session_id: str, call: Call, move: Callable[[SessionState], SessionState]
    ) -> SessionInfo:
        async def change(opened: OpenSession, _: SessionSteps) -> tuple[SessionState, SessionState]:
            state = move(opened.state)
            return state, state

        state, record = await self._changed(session_id, call, change)
        return _info(record, state)

    async def _changed(
        self,
        session_id: str,
        call: Call,
        change: Callable[[OpenSession, SessionSteps], Awaitable[tuple[SessionState, T]]],
    ) -> tuple[T, Record]:
        """Read a session, change it, write it; anew if another replica was quicker."""
        async with self._keeper.in_order(call, session_id):
            for attempt in range(1, _ATTEMPTS + 1):
                opened = await self._keeper.open(call, session_id)
                state, answer = await change(opened, SessionSteps(opened.model, call, self._metrics))
                try:
                    return answer, await self._keeper.keep(call, opened, state)
                except SessionConflict:
                    if attempt == _ATTEMPTS:
                        raise
        raise AssertionError("unreachable")


def _info(record: Record, state: SessionState | None = None) -> SessionInfo:
    return SessionInfo(
        session_id=record.session_id,
        model=record.model,
        model_version=record.version,
        position=record.position,
        revision=record.revision,
        created=record.created,
        ttl_seconds=record.ttl_seconds,
        expires_at=record.expires_at,
        state_bytes=None if state is None else state_bytes(state),
        max_rewind=None if state is None else state.max_rewind,
        checkpoints=None if state is None else sorted(state.checkpoints),
    )


def _distribution(
    found: np.ndarray[tuple[int], np.dtype[np.float64]], opened: OpenSession, top: int | None
) -> Distribution:
    data = next_chars(found, opened.model.graph.vocabulary, top)
    return Distribution(data=data, entropy_bits=entropy_bits(found))
