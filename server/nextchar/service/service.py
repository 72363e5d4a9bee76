"""The use cases of the server, as REST, gRPC and the command line call them."""

from dataclasses import dataclass

from nextchar.repository.manager import ModelManager
from nextchar.repository.served_models import ServedModels
from nextchar.service.comparer import Comparer
from nextchar.service.completer import Completer
from nextchar.service.generator import Generator
from nextchar.service.inference.inspector import Inspector
from nextchar.service.inference.limits_report import LimitsReport
from nextchar.service.inference.tokenizer import Tokenizer
from nextchar.service.judging.judger import Judger
from nextchar.service.lifecycle import ServiceLifecycle
from nextchar.service.oip.inference import TensorInference
from nextchar.service.oip.metadata import ModelMetadata
from nextchar.service.predictor import Predictor
from nextchar.service.scorer import Scorer
from nextchar.service.sessions.lifecycle import SessionLifecycle
from nextchar.service.sessions.maintenance import SessionMaintenance
from nextchar.service.sessions.manager import SessionManager
from nextchar.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Service:
    """Groups the use cases; `service.composition.build_service` makes it.

    Use cases run on the event loop, their lanes on the models' engines. Each raises InvalidRequest,
    InputTooLarge, UnknownCharacter or ModelNotFound for a wrong request, and QueueFull, RateLimited,
    Unavailable, DeadlineExceeded or InternalError for one that cannot be answered now.
    """

    lifecycle: ServiceLifecycle
    scorer: Scorer
    judger: Judger
    comparer: Comparer
    predictor: Predictor
    completer: Completer
    generator: Generator
    inspector: Inspector
    tokenizer: Tokenizer
    limits_report: LimitsReport
    sessions: SessionLifecycle
    session_manager: SessionManager
    session_maintenance: SessionMaintenance
    tensor_inference: TensorInference
    model_metadata: ModelMetadata
    served_models: ServedModels
    model_manager: ModelManager
    metrics: Metrics
