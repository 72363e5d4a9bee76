"""What every door calls: a request in, an answer out.

Doors validate the shape of a request with `schemas`; `Validation` holds it against the model and the
limits; here it becomes lanes, and what the lanes deliver becomes the answer.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nextchar.engine.lane import Lane
from nextchar.repository.manager import ModelManager
from nextchar.repository.served_models import ServedModels
from nextchar.request_context import RequestContext
from nextchar.schemas.base import make_usage
from nextchar.schemas.compare import CompareRequest, CompareResponse
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.inspect import InspectRequest, InspectResponse
from nextchar.schemas.limits import ApiLimits, Limits, SessionLimits
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.service.inference.comparer import Comparer
from nextchar.service.inference.completer import Completer
from nextchar.service.inference.completion_text import join_choices
from nextchar.service.inference.inspector import Inspector
from nextchar.service.inference.limits_report import LimitsReport
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.scorer import Scorer
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.tokenizer import Tokenizer
from nextchar.service.inference.validation import Validation
from nextchar.service.oip.inference import TensorInference
from nextchar.service.oip.metadata import ModelMetadata
from nextchar.service.oip.sequences import SequenceSessions
from nextchar.service.sessions.client_state import ClientStateCalls, has_client_state
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.continuation import Continuation
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.service.sessions.maintenance import SessionMaintenance
from nextchar.service.sessions.manager import SessionManager
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.stores.base import SessionStore
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.service.sessions.text import SessionText
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.session_metrics import SessionMetrics


class Service:
    """Score, next, complete. Methods run on the event loop; lanes run on the models' engines.

    Each raises InvalidRequest, InputTooLarge, UnknownCharacter or ModelNotFound for a wrong request,
    QueueFull, Unavailable, DeadlineExceeded or InternalError for one that cannot be answered now.
    """

    def __init__(
        self,
        served_models: ServedModels,
        metrics: Metrics,
        limits: Limits,
        *,
        store: SessionStore,
        state_key: bytes,
        session_limits: SessionLimits,
        model_manager: ModelManager | None = None,
        api_limits: ApiLimits | None = None,
        default_model: str | None = None,
    ) -> None:
        self.failure: str | None = None
        self.served_models = served_models
        self.model_manager = model_manager or ModelManager(served_models)
        self.metrics = metrics
        self._validation = Validation(served_models, metrics, limits)
        self._completer = Completer(self._validation, metrics)
        self._scorer = Scorer(self._validation, metrics)
        self._comparer = Comparer(self._scorer)
        self.tokenizer = Tokenizer(
            served_models, self._validation, max_chars=limits.max_input_chars, default_model=default_model
        )
        self.limits = LimitsReport(served_models, limits, session_limits, api_limits or ApiLimits()).limits
        self._inspector = Inspector(self._validation, metrics, max_chars=limits.max_inspect_chars)
        codec, session_metrics = StateCodec(state_key), SessionMetrics(metrics.registry)
        observed = InstrumentedStore(store, session_metrics)
        versions = SessionVersions(
            self.model_manager, codec, self._validation, metrics, replays=session_limits.replays
        )
        self.session_manager = SessionManager(observed, codec, versions, session_limits, session_metrics)
        self.session_maintenance = SessionMaintenance(
            observed, session_metrics, replays=session_limits.replays
        )
        continuation = Continuation(self._completer, self._validation, metrics)
        self._carried = ClientStateCalls(codec, self._validation, continuation, self._scorer, metrics)
        text = SessionText(self.session_manager, self._validation, continuation, self._scorer, metrics)
        self.sessions = SessionLifecycle(
            self.session_manager, text, self._validation, metrics, session_limits
        )
        sequences = SequenceSessions(self.session_manager, self._validation, metrics)
        self.inference = TensorInference(self._validation, self._scorer, sequences, metrics)
        self.model_metadata = ModelMetadata(served_models, metrics, session_limits)

    @property
    def ready(self) -> bool:
        """Whether new work is taken, every model answers and no background task has failed."""
        return self.failure is None and not self._validation.draining and self.served_models.ready

    def fail(self, reason: str) -> None:
        """Makes the server unready for good; `reason` is a sentence for the person who asks why."""
        self.failure = self.failure or reason

    @property
    def draining(self) -> bool:
        return self._validation.draining

    def drain(self, timeout_seconds: float) -> None:
        """Take no new work; what runs goes on to its end, for so long at most."""
        self._validation.drain(timeout_seconds)

    async def score(self, request: ScoreRequest, ctx: RequestContext) -> ScoreResponse:
        """log p of each string, from the begin symbol or after the context."""
        return await (self._carried if has_client_state(request) else self._scorer).score(request, ctx)

    async def compare(self, request: CompareRequest, ctx: RequestContext) -> CompareResponse:
        """Candidates by likelihood, or by the likelihood ratio of two models."""
        return await self._comparer.compare(request, ctx)

    async def next(self, request: NextRequest, ctx: RequestContext) -> NextResponse:
        """The distribution of the character after a text."""
        if has_client_state(request):
            return await self._carried.next(request, ctx)
        model = self._validation.model(request.model, ctx)
        ids = self._validation.encode(request.input, model=model, ctx=ctx, param="input")
        self.metrics.observe_size(ctx, len(ids))
        lane = Lane(ids, wants_distribution=True)
        (deliveries,) = await run_to_end(model, [lane], ctx=ctx, metrics=self.metrics)
        distribution = deliveries[-1].distribution
        assert distribution is not None
        self.metrics.count_chars(ctx, fed=len(ids))
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(len(ids)),
        )

    async def inspect(self, request: InspectRequest, ctx: RequestContext) -> InspectResponse:
        """The model's states after each character of a text."""
        return await self._inspector.inspect(request, ctx)

    async def complete(self, request: CompletionRequest, ctx: RequestContext) -> Completion:
        """Whole completions: the pieces of `stream`, joined."""
        if request.session_id is None and not has_client_state(request):
            return await self._completer.complete(request, ctx)
        async with aclosing(self.stream(request, ctx)) as pieces:
            parts = [piece async for piece in pieces]
        choice = join_choices([part.choices[0] for part in parts])
        return parts[-1].model_copy(update={"choices": [choice]})

    def stream(self, request: CompletionRequest, ctx: RequestContext) -> AsyncGenerator[Completion]:
        """A completion as it is sampled. What the request did wrong is raised before the first piece."""
        if request.session_id is not None:
            return self.sessions.text.complete(request.session_id, request, ctx)
        return (self._carried if has_client_state(request) else self._completer).stream(request, ctx)
