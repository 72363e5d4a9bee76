"""One call through a door: what the doors, the service and the metrics know about it together."""

import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal
from typing import Protocol as Interface

from pydantic import BaseModel

from nextchar.schemas.base import RequestOptions
from nextchar.security.principal import PRINCIPAL, Principal

Route = Literal[
    "score",
    "compare",
    "next",
    "complete",
    "session",
    "inspect",
    "tokenize",
    "infer",
    "generate",
    "repository",
]
Protocol = Literal["rest", "grpc", "cli"]

_MAX_ID_CHARS = 128
TRACE_HEADERS = ("traceparent", "tracestate")  # W3C trace context


class Trace(Interface):
    """Where a call's stages are told, if anybody asked for a trace."""

    @property
    def trace_id(self) -> str: ...
    @property
    def traceparent(self) -> str: ...
    def stage(self, name: str, started: float, ended: float) -> None: ...


@dataclass(slots=True)
class RequestContext:
    """A call in progress. Times are monotonic seconds; `model` and `version` are set once known."""

    route: Route
    protocol: Protocol
    deadline: float
    request_id: str
    model: str = ""
    version: str = ""
    principal: Principal = field(default_factory=PRINCIPAL.get)  # whose key it came with
    priority: int = 0  # among those that wait; the lowest first
    started: float = field(default_factory=time.monotonic)
    num_inferences: int = 0  # strings and completions that ran
    queue_seconds: float = 0.0
    input_seconds: float = 0.0  # from bytes to tensors
    output_seconds: float = 0.0  # and back
    inference_seconds: float = 0.0  # that its work had rows
    num_given: int = 0  # characters read, of the prompt or the strings
    num_sampled: int = 0
    trace_headers: Mapping[str, str] = field(default_factory=dict)  # W3C's, as they came
    trace: Trace | None = None

    @property
    def owner(self) -> str:
        """Whose sessions it sees."""
        return self.principal.owner

    def asked(self, fields: BaseModel) -> None:
        """Keep to what the request says of its time and its place in the line, if its key may say so."""
        if isinstance(fields, RequestOptions):
            if fields.timeout is not None:
                self.deadline = min(self.deadline, self.started + fields.timeout)
            self.priority = max(fields.priority, self.principal.best_priority)

    def ran(self, submitted: float, joined: float) -> None:
        """Its work, or some of it, is done now; it waited for rows, then had them. Monotonic seconds."""
        now = time.monotonic()
        self.inference_seconds += now - joined
        if self.trace is not None:
            self.trace.stage("queue", submitted, joined)
            self.trace.stage("lanes", joined, now)


# The call whose task this is, where calls are traced: for those far below who do not know it.
CURRENT_REQUEST: ContextVar[RequestContext | None] = ContextVar("call", default=None)


def make_request_id(given: str | None) -> str:
    """The caller's own id if it is one short printable word, else a new one."""
    if given and len(given) <= _MAX_ID_CHARS and given.isascii() and given.isprintable():
        return given
    return uuid.uuid4().hex
