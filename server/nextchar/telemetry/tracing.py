"""OpenTelemetry traces: a span for a call, in its caller's trace, and within it queue, lanes and store.

The package is an extra: nothing of it is imported unless an address for traces is set, and a call without a
trace does nothing for it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nextchar import __version__
from nextchar.errors import SettingsInvalid
from nextchar.request_context import CURRENT_REQUEST, RequestContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_NANOSECONDS = 1_000_000_000


class RequestTrace:
    """The span of one call. Stages are told when they are over, by monotonic seconds."""

    def __init__(self, tracer: "Tracer", span: "Span") -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer, self._span = tracer, span
        self._context = set_span_in_context(span)
        self._zero = time.time_ns() - int(time.monotonic() * _NANOSECONDS)

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def traceparent(self) -> str:
        """This span as W3C's header names it, for whoever goes on from it."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def stage(self, name: str, started: float, ended: float) -> None:
        """A part of the call that is over."""
        begin, end = (self._zero + int(at * _NANOSECONDS) for at in (started, ended))
        self._tracer.start_span(name, self._context, start_time=begin).end(end_time=end)

    def end(self, ctx: RequestContext, outcome: str) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_attributes(
            {
                "nextchar.model": ctx.model,
                "nextchar.version": ctx.version,
                "nextchar.outcome": outcome,
                "nextchar.num_given": ctx.num_given,
                "nextchar.num_sampled": ctx.num_sampled,
            }
        )
        if outcome in ("error", "timeout"):
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class RequestTracer:
    """Begins and ends the spans of calls."""

    def __init__(self, tracer: "Tracer") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    def begun(self, ctx: RequestContext) -> None:
        """A span for a call, below the caller's if it named one."""
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            f"nextchar.{ctx.route}",
            self._propagator.extract(ctx.trace_headers),
            kind=SpanKind.SERVER,
            start_time=time.time_ns() - int((time.monotonic() - ctx.started) * _NANOSECONDS),
            attributes={
                "nextchar.route": ctx.route,
                "nextchar.protocol": ctx.protocol,
                "nextchar.request_id": ctx.request_id,
            },
        )
        ctx.trace = RequestTrace(self._tracer, span)
        # Never reset: each call of a door is a task of its own, and a stream may end in another one.
        CURRENT_REQUEST.set(ctx)

    def ended(self, ctx: RequestContext, outcome: str, error: BaseException | None) -> None:  # noqa: ARG002
        assert isinstance(ctx.trace, RequestTrace)
        ctx.trace.end(ctx, outcome)


@contextmanager
def call_tracer(endpoint: str) -> Iterator[RequestTracer]:
    """Spans go to an OTLP receiver over HTTP, in the background; what is left goes at the end.

    Sampling, headers and the like are OpenTelemetry's own variables, `OTEL_…`.

    Raises:
        SettingsInvalid: the extra is not installed, or the address is none.
    """
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise SettingsInvalid(
            f"otlp_endpoint: {endpoint!r} is no http:// or https:// address", param="otlp_endpoint"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "otlp_endpoint: traces need packages more: pip install 'nextchar[otel]'", param="otlp_endpoint"
        ) from error
    whole = endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + "/v1/traces"
    resource = Resource.create({"service.name": "nextchar", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=whole)))
    try:
        yield RequestTracer(provider.get_tracer("nextchar", __version__))
    finally:
        provider.shutdown()
