"""What every door calls: a request in, an answer out.

Doors validate the shape of a request with `schemas`; `Intake` holds it against the model and the
limits; here it becomes lanes, and what the lanes deliver becomes the answer.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from nextchar.engine.lane import Lane
from nextchar.repository.manager import ModelLibrary
from nextchar.repository.served_models import Repository
from nextchar.request_context import Call
from nextchar.schemas.base import make_usage
from nextchar.schemas.compare import CompareRequest, CompareResponse
from nextchar.schemas.completion import Completion, CompletionRequest
from nextchar.schemas.inspect import InspectRequest, InspectResponse
from nextchar.schemas.limits import DoorLimits, Limits, SessionLimits
from nextchar.schemas.score import NextRequest, NextResponse, ScoreRequest, ScoreResponse
from nextchar.service.inference.comparer import Comparer
from nextchar.service.inference.completer import Completer
from nextchar.service.inference.completion_text import join_choices
from nextchar.service.inference.inspector import Inspector
from nextchar.service.inference.limits_report import LimitReport
from nextchar.service.inference.score_math import entropy_bits, next_chars
from nextchar.service.inference.scorer import Scorer
from nextchar.service.inference.submission import run_to_end
from nextchar.service.inference.tokenizer import Tokenizer
from nextchar.service.inference.validation import Intake
from nextchar.service.oip.inference import Inference
from nextchar.service.oip.metadata import OipModels
from nextchar.service.oip.sequences import Sequences
from nextchar.service.sessions.client_state import Carried, carries
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.continuation import Continuer
from nextchar.service.sessions.lifecycle import Sessions
from nextchar.service.sessions.maintenance import SessionUpkeep
from nextchar.service.sessions.manager import SessionKeeper
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.stores.base import SessionStore
from nextchar.service.sessions.stores.instrumented import ObservedStore
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
        repository: Repository,
        metrics: Metrics,
        limits: Limits,
        *,
        store: SessionStore,
        state_key: bytes,
        session_limits: SessionLimits,
        library: ModelLibrary | None = None,
        door_limits: DoorLimits | None = None,
        default_model: str | None = None,
    ) -> None:
        self.repository = repository
        self.library = library or ModelLibrary(repository)
        self.metrics = metrics
        self._intake = Intake(repository, metrics, limits)
        self._completer = Completer(self._intake, metrics)
        self._scorer = Scorer(self._intake, metrics)
        self._comparer = Comparer(self._scorer)
        self.tokenizer = Tokenizer(
            repository, self._intake, max_chars=limits.max_input_chars, default_model=default_model
        )
        self.limits = LimitReport(repository, limits, session_limits, door_limits or DoorLimits()).limits
        self._inspector = Inspector(self._intake, metrics, max_chars=limits.max_inspect_chars)
        codec, session_metrics = StateCodec(state_key), SessionMetrics(metrics.registry)
        observed = ObservedStore(store, session_metrics)
        versions = SessionVersions(self.library, codec, self._intake, metrics, replays=session_limits.replays)
        self.session_keeper = SessionKeeper(observed, codec, versions, session_limits, session_metrics)
        self.session_upkeep = SessionUpkeep(observed, session_metrics, replays=session_limits.replays)
        continuer = Continuer(self._completer, self._intake, metrics)
        self._carried = Carried(codec, self._intake, continuer, self._scorer, metrics)
        text = SessionText(self.session_keeper, self._intake, continuer, self._scorer, metrics)
        self.sessions = Sessions(self.session_keeper, text, self._intake, metrics, session_limits)
        sequences = Sequences(self.session_keeper, self._intake, metrics)
        self.inference = Inference(self._intake, self._scorer, sequences, metrics)
        self.oip_models = OipModels(repository, metrics, session_limits)

    @property
    def ready(self) -> bool:
        """Whether new work is taken and every model answers."""
        return not self._intake.draining and self.repository.ready

    @property
    def draining(self) -> bool:
        return self._intake.draining

    def drain(self, timeout_seconds: float) -> None:
        """Take no new work; what runs goes on to its end, for so long at most."""
        self._intake.drain(timeout_seconds)

    async def score(self, request: ScoreRequest, call: Call) -> ScoreResponse:
        """log p of each string, from the begin symbol or after the context."""
        return await (self._carried if carries(request) else self._scorer).score(request, call)

    async def compare(self, request: CompareRequest, call: Call) -> CompareResponse:
        """Candidates by likelihood, or by the likelihood ratio of two models."""
        return await self._comparer.compare(request, call)

    async def next(self, request: NextRequest, call: Call) -> NextResponse:
        """The distribution of the character after a text."""
        if carries(request):
            return await self._carried.next(request, call)
        model = self._intake.model(request.model, call)
        ids = self._intake.encode(request.input, model=model, call=call, param="input")
        self.metrics.observe_size(call, len(ids))
        lane = Lane(ids, wants_distribution=True)
        (deliveries,) = await run_to_end(model, [lane], call=call, metrics=self.metrics)
        distribution = deliveries[-1].distribution
        assert distribution is not None
        self.metrics.count_chars(call, fed=len(ids))
        return NextResponse(
            model=model.name,
            model_version=model.version,
            data=next_chars(distribution, model.graph.vocabulary, request.top),
            entropy_bits=entropy_bits(distribution),
            usage=make_usage(len(ids)),
        )

    async def inspect(self, request: InspectRequest, call: Call) -> InspectResponse:
        """The model's states after each character of a text."""
        return await self._inspector.inspect(request, call)

    async def complete(self, request: CompletionRequest, call: Call) -> Completion:
        """Whole completions: the pieces of `stream`, joined."""
        if request.session_id is None and not carries(request):
            return await self._completer.complete(request, call)
        async with aclosing(self.stream(request, call)) as pieces:
            parts = [piece async for piece in pieces]
        choice = join_choices([part.choices[0] for part in parts])
        return parts[-1].model_copy(update={"choices": [choice]})

    def stream(self, request: CompletionRequest, call: Call) -> AsyncGenerator[Completion]:
        """A completion as it is sampled. What the request did wrong is raised before the first piece."""
        if request.session_id is not None:
            return self.sessions.text.complete(request.session_id, request, call)
        return (self._carried if carries(request) else self._completer).stream(request, call)
