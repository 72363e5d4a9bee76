"""Builds the service: every use case, from the models that are served, the limits and the session store."""

from nextchar.repository.judges import ServedJudges
from nextchar.repository.manager import ModelManager
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.limits import ApiLimits, Limits, SessionLimits
from nextchar.service.comparer import Comparer
from nextchar.service.completer import Completer
from nextchar.service.generator import Generator
from nextchar.service.inference.completion_runner import CompletionRunner
from nextchar.service.inference.inspector import Inspector
from nextchar.service.inference.limits_report import LimitsReport
from nextchar.service.inference.score_runner import ScoreRunner
from nextchar.service.inference.tokenizer import Tokenizer
from nextchar.service.inference.validation import Validation
from nextchar.service.judging.judger import Judger
from nextchar.service.judging.ordered_judger import OrderedJudger
from nextchar.service.judging.states import JudgeStates
from nextchar.service.lifecycle import ServiceLifecycle
from nextchar.service.oip.inference import TensorInference
from nextchar.service.oip.metadata import ModelMetadata
from nextchar.service.oip.sequences import SequenceSessions
from nextchar.service.predictor import Predictor
from nextchar.service.scorer import Scorer
from nextchar.service.service import Service
from nextchar.service.sessions.client_state import ClientStates
from nextchar.service.sessions.codec import StateCodec
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.service.sessions.maintenance import SessionMaintenance
from nextchar.service.sessions.manager import SessionManager
from nextchar.service.sessions.model_versions import SessionVersions
from nextchar.service.sessions.ordered_scorer import OrderedScorer
from nextchar.service.sessions.separate_scorer import SeparateScorer
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.base import SessionStore
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.service.sessions.text import SessionText
from nextchar.telemetry.judge_metrics import JudgeMetrics
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.session_metrics import SessionMetrics


def build_service(
    served_models: ServedModels,
    metrics: Metrics,
    limits: Limits,
    *,
    store: SessionStore,
    state_key: bytes,
    session_limits: SessionLimits,
    model_manager: ModelManager | None = None,
    served_judges: ServedJudges | None = None,
    api_limits: ApiLimits | None = None,
) -> Service:
    """Builds the use cases over one set of models, one session store and one key for states."""
    model_manager = model_manager or ModelManager(served_models)
    served_judges = served_judges or ServedJudges(served_models)
    lifecycle = ServiceLifecycle(served_models)
    validation = Validation(served_models, lifecycle, metrics, limits)
    scores, completions = ScoreRunner(validation, metrics), CompletionRunner(validation, metrics)
    codec, session_metrics = StateCodec(state_key), SessionMetrics(metrics.registry)
    client_states = ClientStates(codec, validation, metrics)
    ordered, separate = OrderedScorer(validation, metrics), SeparateScorer(validation, scores, metrics)
    judge_metrics = JudgeMetrics(metrics.registry)
    judge_states = JudgeStates(state_key, codec, served_judges, validation)
    judges_in_order = OrderedJudger(judge_states, validation, ordered, judge_metrics)
    observed, replays = InstrumentedStore(store, session_metrics), session_limits.replays
    versions = SessionVersions(model_manager, codec, validation, lifecycle, metrics, replays=replays)
    clock = StoreClock(observed, session_metrics)
    manager = SessionManager(observed, codec, versions, session_limits, session_metrics, clock)
    text = SessionText(manager, validation, completions, scores, metrics)
    sequences = SequenceSessions(manager, validation, metrics)
    completer = Completer(validation, completions, text, client_states)
    return Service(
        lifecycle=lifecycle,
        scorer=Scorer(validation, scores, client_states, ordered, separate),
        judger=Judger(served_judges, validation, scores, judges_in_order, judge_metrics),
        comparer=Comparer(validation, scores, separate),
        predictor=Predictor(validation, client_states, metrics),
        completer=completer,
        generator=Generator(validation, completer),
        inspector=Inspector(validation, metrics, limits),
        tokenizer=Tokenizer(validation, max_chars=limits.max_input_chars),
        limits_report=LimitsReport(served_models, limits, session_limits, api_limits or ApiLimits()),
        sessions=SessionLifecycle(manager, text, validation, metrics, session_limits),
        session_manager=manager,
        session_maintenance=SessionMaintenance(observed, clock, session_metrics, replays=replays),
        tensor_inference=TensorInference(validation, scores, sequences, metrics),
        model_metadata=ModelMetadata(
            served_models, metrics, session_limits, latest_only=model_manager.latest_only
        ),
        served_models=served_models,
        model_manager=model_manager,
        metrics=metrics,
    )
