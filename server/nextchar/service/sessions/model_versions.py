"""Which version of a model a session goes on with: the one it began with, or one that has read its text."""

from dataclasses import replace

import numpy as np

from nextchar.errors import ModelNotFound, StateModelMismatch
from nextchar.model.vocabulary import Ids, Vocabulary
from nextchar.repository.manager import ModelLibrary, PastVersion
from nextchar.repository.served_models import Model
from nextchar.request_context import Call
from nextchar.service.inference.validation import Intake
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.state import Mark, SessionState
from nextchar.service.sessions.stepper import SessionSteps
from nextchar.service.sessions.stores.base import Record
from nextchar.telemetry.metrics import Metrics


class SessionVersions:
    """Over one library. `replays`: a session whose version was let go is read into the newest one."""

    def __init__(
        self, library: ModelLibrary, codec: StateCodec, intake: Intake, metrics: Metrics, *, replays: bool
    ) -> None:
        self._library, self._codec, self._intake = library, codec, intake
        self._metrics, self._replays = metrics, replays

    async def own(self, record: Record, call: Call) -> Model | None:
        """The version a session began with, if it is served or can be loaded for it.

        Raises:
            Unavailable: the server takes no new work.
        """
        self._intake.check_draining()
        call.model, call.version = record.model, record.version
        return await self._library.for_session(record.model, record.version, record.digest)

    async def replayed(self, record: Record, call: Call) -> tuple[Model, SessionState]:
        """The newest version and the state it has after the session's recent characters, from begin.

        The position and the random numbers go on; what was further back, and checkpoints, are forgotten.

        Raises:
            StateModelMismatch: that is not wanted, or the characters cannot be read any more.
            StateInvalid: the session's state is damaged.
        """
        shown = f"{record.model}:{record.version}"
        past = self._library.past(record.model, record.version, record.digest)
        if past is None or not self._replays:
            raise StateModelMismatch(f"the session is of model {shown}, which is not served here any more")
        try:
            model = self._intake.model(record.model, call)
        except ModelNotFound as error:
            raise StateModelMismatch(
                f"the session is of model {shown}; no version of it is served"
            ) from error
        old = self._codec.open(record.sealed, owner=record.owner, digest=past.digest, shapes=past.shapes)
        ids = _translated(old.recent, past, model.graph.vocabulary)
        steps = SessionSteps(model, call, self._metrics)
        moved, _ = await steps.feed(SessionState(old.seed), ids)
        first = old.here.position - len(ids)
        drawn = (
            old.drawn_before if len(ids) == len(old.drawn_before) else np.full_like(ids, old.here.num_drawn)
        )
        return model, replace(
            moved,
            here=Mark(old.here.position, old.here.num_drawn, moved.here.state),
            anchor=Mark(first + moved.anchor.position, old.here.num_drawn, moved.anchor.state),
            drawn_before=drawn[moved.anchor.position :],
        )


def _translated(ids: Ids, past: PastVersion, vocabulary: Vocabulary) -> Ids:
    """The ids of the same characters; one that a vocabulary refuses is left out."""
    text = past.vocabulary.decode(ids)
    try:
        return vocabulary.encode(text)
    except KeyError:
        known = set(vocabulary.characters)
        return vocabulary.encode("".join(c for c in vocabulary.normalize(text) if c in known))
