"""States that the client keeps: opens the one a request brings, seals the one it wants back.

The bytes are those of a session's exported state: sealed for one owner and one model.
"""

from collections.abc import Mapping

from nextchar.repository.model import Model
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.security.seal import made_for
from nextchar.service.inference.completion_plan import Start
from nextchar.service.inference.sampling_params import make_seed
from nextchar.service.inference.validation import Validation
from nextchar.service.sessions.adaptation import check_kept, new_memory
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.continuation import start_from
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stepper import SessionStepper
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext

Request = NextRequest | ScoreRequest | CompletionRequest


def has_client_state(request: Request) -> bool:
    """Returns whether a request brings a state or wants one."""
    return request.state is not None or request.return_state


class ClientStates:
    """Opens and seals the states of requests; raises StateInvalid, StateModelMismatch and InvalidRequest."""

    def __init__(self, codec: StateCodec, validation: Validation, metrics: Metrics) -> None:
        self._codec, self._validation, self._metrics = codec, validation, metrics

    def open(
        self, request: Request, ctx: RequestContext, *, seed: int | None = None
    ) -> tuple[Model, SessionState]:
        """Returns the model of a request and the state it goes on from, a new one if it brings none.

        Of a model without a version named, the version is that of the state.
        """
        sealed = request.state
        if sealed is None:
            model = self._validation.model(request.model, ctx)
            memory = new_memory(request.adaptive, self._validation.limits)
            return model, SessionState.begun(make_seed(seed), memory)
        model = self._validation.model(request.model, ctx, fits=lambda m: made_for(sealed, m.graph.digest))
        graph = model.graph
        shapes = graph.state_shapes
        state = self._codec.open(sealed, owner=ctx.owner, digest=graph.digest, shapes=shapes)
        check_kept(request.adaptive, state.here.memory)
        return model, state

    def seal(self, request: Request, model: Model, state: SessionState, ctx: RequestContext) -> bytes | None:
        """Returns the bytes of the next state, if the request wants them."""
        if not request.return_state:
            return None
        return self._codec.seal(state, owner=ctx.owner, digest=model.graph.digest)

    def start(self, request: CompletionRequest, ctx: RequestContext) -> Start:
        """Returns where a completion starts; its last piece has the state after all of it, if wanted."""
        model, state = self.open(request, ctx, seed=request.seed)

        async def save(end: SessionState) -> Mapping[str, object]:
            return {"state": self.seal(request, model, end, ctx)}

        stepper = SessionStepper(model, ctx, self._metrics)
        return start_from(state, model, stepper, save if request.return_state else None)
