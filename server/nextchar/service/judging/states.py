"""Opens and seals how far a text was judged: the state of its lane, and the scores read so far.

    scores read 8 | scores kept 4 | these, float64 | the sealed state of the lane

is what the seal of a judge's state holds. It is of one owner and one judge; the lane's state in it is of one
owner and one model, as a session's exported state is.
"""

import struct
from dataclasses import dataclass

import numpy as np

from nextchar.model.judging.ordered import MAX_SCORES, nothing_read
from nextchar.model.surprise.online_scores import OnlineScores
from nextchar.repository.judges import ServedJudge, ServedJudges
from nextchar.repository.model import Model
from nextchar.schemas.judging import JudgeRequest
from nextchar.security.seal import Seal, made_for
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.adaptation import check_kept, new_memory
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.state import SessionState
from nextchar.telemetry.request_context import RequestContext

_MAGIC = b"NCJ1"
_COUNTS = struct.Struct("<QI")


@dataclass(frozen=True, slots=True, eq=False)
class JudgedText:
    """How far a text was judged: the state of its lane, and the scores of its strings."""

    state: SessionState
    scores: OnlineScores


class JudgeStates:
    """Opens and seals the states of requests; raises StateInvalid, StateModelMismatch and InvalidRequest."""

    def __init__(self, key: bytes, codec: StateCodec, judges: ServedJudges, validation: Validation) -> None:
        self._seal, self._codec = Seal(key), codec
        self._judges, self._validation = judges, validation

    def open(self, request: JudgeRequest, ctx: RequestContext) -> tuple[ServedJudge, Model, JudgedText]:
        """Returns the judge of a request, its model, and the text it goes on from, a new one if it has none.

        Of a judge without a version named, the version is that of the state.
        """
        sealed = request.state
        if sealed is None:
            served, _ = self._judges.get(request.judge)
            model = self._validation.model(served.model_id, ctx, param="judge")
            memory = new_memory(request.adaptive, self._validation.limits)
            return served, model, JudgedText(SessionState.begun(make_seed(None), memory), nothing_read())
        served, _ = self._judges.get(request.judge, fits=lambda one: made_for(sealed, one.judge.digest))
        model = self._validation.model(served.model_id, ctx, param="judge")
        content = self._seal.open(
            sealed, magics=(_MAGIC,), owner=ctx.owner, digest=served.judge.digest, of="judge"
        )
        text = self._parsed(content, model, ctx)
        check_kept(request.adaptive, text.state.here.memory)
        return served, model, text

    def seal(
        self, request: JudgeRequest, served: ServedJudge, model: Model, text: JudgedText, ctx: RequestContext
    ) -> bytes | None:
        """Returns the bytes of how far the text was judged, if the request wants them."""
        if not request.return_state:
            return None
        compared = text.scores.compared
        content = b"".join(
            [
                _COUNTS.pack(text.scores.num_read, len(compared)),
                compared.astype("<f8").tobytes(),
                self._codec.seal(text.state, owner=ctx.owner, digest=model.graph.digest),
            ]
        )
        return self._seal.close(content, magic=_MAGIC, owner=ctx.owner, digest=served.judge.digest)

    def _parsed(self, content: bytes, model: Model, ctx: RequestContext) -> JudgedText:
        num_read, num_kept = _COUNTS.unpack_from(content)
        compared = np.frombuffer(content, "<f8", num_kept, _COUNTS.size).astype(np.float64)
        graph = model.graph
        state = self._codec.open(
            content[_COUNTS.size + compared.nbytes :],
            owner=ctx.owner,
            digest=graph.digest,
            shapes=graph.state_shapes,
        )
        return JudgedText(state, OnlineScores.restored(num_read, compared, MAX_SCORES))
