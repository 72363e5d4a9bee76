"""Chooses the version of a model for a session: its own, or the newest, which reads its text again."""

from dataclasses import replace

import numpy as np

from nextchar.errors import ModelNotFound, StateModelMismatch
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.manager import ModelManager
from nextchar.repository.model import Model
from nextchar.repository.retired_versions import PastVersion
from nextchar.service.inference.validation import Validation
from nextchar.service.lifecycle import ServiceLifecycle
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.memories import translated
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.service.sessions.stores.base import SessionRecord
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext


class SessionVersions:
    """Finds the versions of sessions; with `replays`, one whose version is unloaded goes to the newest."""

    def __init__(
        self,
        model_manager: ModelManager,
        codec: StateCodec,
        validation: Validation,
        lifecycle: ServiceLifecycle,
        metrics: Metrics,
        *,
        replays: bool,
    ) -> None:
        self._model_manager, self._codec, self._validation = model_manager, codec, validation
        self._lifecycle, self._metrics, self._replays = lifecycle, metrics, replays

    def check_new(self) -> None:
        """Checks that a session may begin.

        Raises:
            Unavailable: the server drains.
        """
        self._lifecycle.check_accepting()

    async def own(self, record: SessionRecord, ctx: RequestContext) -> Model | None:
        """Returns the version that a session began with, if it is served or can be loaded for it.

        A server that drains answers the calls of sessions that exist, for as long as it runs.
        """
        ctx.model, ctx.version = record.model, record.version
        model = await self._model_manager.for_session(record.model, record.version, record.digest)
        if model is not None:
            model.used_by(ctx)
        return model

    async def replayed(self, record: SessionRecord, ctx: RequestContext) -> tuple[Model, SessionState]:
        """Returns the newest version and its state after the session's recent characters, read from begin.

        The position and the random numbers go on; earlier characters and checkpoints are lost. What an
        adaptive session had learned before these characters stays, and they are learned again.

        Raises:
            StateModelMismatch: replays are off, or the characters can no longer be decoded.
            StateInvalid: the session's state is damaged.
        """
        shown = f"{record.model}:{record.version}"
        past = self._model_manager.past(record.model, record.version, record.digest)
        if past is None or not self._replays:
            raise StateModelMismatch(f"the session is of model {shown}, which is no longer served here")
        try:
            model = self._validation.model(record.model, ctx, is_new=False)
        except ModelNotFound as error:
            raise StateModelMismatch(
                f"the session is of model {shown}; no version of it is served"
            ) from error
        old = self._codec.open(record.sealed, owner=record.owner, digest=past.digest, shapes=past.shapes)
        ids = _translated(old.recent, past, model.graph.vocabulary)
        stepper = SessionStepper(model, ctx, self._metrics)
        begun = _begun(old, past, model.graph.vocabulary)
        learned = old.learned if len(ids) == len(old.recent) else None
        moved = await stepper.replayed(begun, ids, learned)
        first = old.here.position - len(ids)
        drawn = (
            old.drawn_before if len(ids) == len(old.drawn_before) else np.full_like(ids, old.here.num_drawn)
        )
        return model, replace(
            moved,
            here=replace(old.here, state=moved.here.state, memory=moved.here.memory),
            anchor=replace(
                moved.anchor, position=first + moved.anchor.position, num_drawn=old.here.num_drawn
            ),
            drawn_before=drawn[moved.anchor.position :],
        )


def _begun(old: SessionState, past: PastVersion, vocabulary: Vocabulary) -> SessionState:
    """Returns a state before any character, with what was learned before the recent characters."""
    memory = old.anchor.memory
    if memory is None:
        return SessionState.begun(old.seed)
    return SessionState.begun(old.seed, translated(memory, lambda ids: _translated(ids, past, vocabulary)))


def _translated(ids: Ids, past: PastVersion, vocabulary: Vocabulary) -> Ids:
    """Returns the ids of the same characters; leaves out those that the vocabulary refuses."""
    text = past.vocabulary.decode(ids)
    try:
        return vocabulary.encode(text)
    except KeyError:
        known = set(vocabulary.characters)
        return vocabulary.encode("".join(c for c in vocabulary.normalize(text) if c in known))
