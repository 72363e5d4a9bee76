"""Holds what the APIs, the service and the metrics share about one request while it is answered."""

import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, Protocol

from nextchar.errors import ClientGone
from nextchar.schemas.base import RequestOptions
from nextchar.security.principal import PRINCIPAL, Principal

# The value of the label `route` in metrics, logs and traces: one per use case, the same for REST and gRPC.
Route = Literal[
    "score",
    "compare",
    "judge",
    "next",
    "complete",
    "session",
    "inspect",
    "tokenize",
    "infer",
    "generate",
    "repository",
    "info",  # what a model or the server is: metadata, limits, documents, metrics
    "other",  # no route or method of ours
]
ProtocolName = Literal["rest", "grpc", "cli"]

_MAX_ID_CHARS = 128
TRACE_HEADERS = ("traceparent", "tracestate")  # W3C trace context
_NO_OPTIONS = RequestOptions.model_construct(timeout=None, priority=0)


class Trace(Protocol):
    """Records the stages of a traced request."""

    @property
    def trace_id(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    def stage(self, name: str, started: float, ended: float) -> None: ...


@dataclass(slots=True)
class RequestContext:
    """Describes a request in progress: who sent it, its deadline and priority, and what it has used.

    Times are monotonic seconds; `model` and `version` are set once they are known. `make_context` makes one
    of a request that may have options; made directly, it has none.
    """

    route: Route
    protocol: ProtocolName
    deadline: float
    request_id: str
    model: str = ""
    version: str = ""
    principal: Principal = field(default_factory=PRINCIPAL.get)  # the owner of the key it was sent with
    priority: int = 0  # of requests that wait, the lowest number goes first
    started: float = field(default_factory=time.monotonic)
    num_inferences: int = 0  # strings and completions that ran
    queue_seconds: float = 0.0
    input_seconds: float = 0.0  # from bytes to tensors
    output_seconds: float = 0.0  # from tensors to bytes
    answer_bytes: int = 0  # what its answer weighs at most
    num_at_once: int = 1  # requests of one call that may have their answers in memory at a time
    inference_seconds: float = 0.0  # during which its work had rows
    num_given: int = 0  # characters read, of the prompt or the strings
    num_sampled: int = 0
    trace_headers: Mapping[str, str] = field(default_factory=dict)  # W3C's, as they were received
    trace: Trace | None = None
    session_id: str = ""  # of the session that it uses; its answer and its errors tell it
    has_looked_up: bool = False  # whether its lookup of that session has been counted
    has_client: Callable[[], bool] = lambda: True  # whether the connection that it came by is still open
    # Called once it waits for its turn and was not refused at once.
    on_wait: Callable[[], None] = lambda: None
    at_end: list[Callable[[], None]] = field(default_factory=list)  # lets go of what the request holds

    def __post_init__(self) -> None:
        """Bounds the priority by the best one of the key."""
        self.priority = max(self.priority, self.principal.best_priority)

    @property
    def owner(self) -> str:
        """The owner of the sessions that the request may use."""
        return self.principal.owner

    def check_client(self) -> None:
        """Checks, just before a change is stored, that there is still somebody to be told of it.

        Raises:
            ClientGone: the connection is closed; nothing was changed.
        """
        if not self.has_client():
            raise ClientGone("the client disconnected before its change was stored; it was not done")

    def end(self) -> None:
        """Lets go of what the request holds; it is called once the request has ended."""
        while self.at_end:
            self.at_end.pop()()

    def ran(self, submitted: float, joined: float) -> None:
        """Adds work that ends now: when it was submitted, and when it got its rows, in monotonic seconds."""
        now = time.monotonic()
        self.inference_seconds += now - joined
        if self.trace is not None:
            self.trace.stage("queue", submitted, joined)
            self.trace.stage("lanes", joined, now)


def make_context(
    route: Route,
    protocol: ProtocolName,
    request: object,
    *,
    request_id: str,
    max_seconds: float,
    started: float | None = None,
    trace_headers: Mapping[str, str] | None = None,
) -> RequestContext:
    """Makes the context of a request with the options that the request has.

    Args:
        request: what was validated: its `options` are its timeout, priority and request id. A request without
            such a property, or None, has the defaults: `max_seconds`, and the best priority of its key or 0.
        max_seconds: the server's own limit; a longer timeout is cut to it.
        started: when the request arrived; now by default.
    """
    options: RequestOptions = getattr(request, "options", _NO_OPTIONS)
    started = time.monotonic() if started is None else started
    seconds = max_seconds if options.timeout is None else min(max_seconds, options.timeout)
    return RequestContext(
        route,
        protocol,
        deadline=started + seconds,
        request_id=options.own_id or request_id,
        priority=options.priority,
        started=started,
        trace_headers=trace_headers or {},
    )


# The request whose task this is, where requests are traced: for code far below that is not given the context.
CURRENT_REQUEST: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def make_request_id(given: str | None) -> str:
    """Returns the client's own id if it is one short printable word, else a new one."""
    if given and len(given) <= _MAX_ID_CHARS and all("!" <= character <= "~" for character in given):
        return given
    return uuid.uuid4().hex
