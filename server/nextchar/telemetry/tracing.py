"""Traces requests with OpenTelemetry: a span per request, and within it spans of queue, lanes and store.

The SDK is an extra: it is imported only if an address for traces is set, and a request without a trace costs
nothing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nextchar import __version__
from nextchar.errors import SettingsInvalid
from nextchar.telemetry.request_context import CURRENT_REQUEST, RequestContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_NANOSECONDS = 1_000_000_000


class RequestTrace:
    """Records the span of one request; its stages are added when they are over, in monotonic seconds."""

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
        """The `traceparent` header (W3C) that names this span."""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def stage(self, name: str, started: float, ended: float) -> None:
        """Records a stage of the request that is over."""
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
    """Starts and ends the spans of requests."""

    def __init__(self, tracer: "Tracer") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()

    def begun(self, ctx: RequestContext) -> None:
        """Starts the span of a request, as a child of the client's span if it names one."""
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
        # Never reset: each request is a task of its own, and a stream may end in another one.
        CURRENT_REQUEST.set(ctx)

    def ended(self, ctx: RequestContext, outcome: str, error: BaseException | None) -> None:  # noqa: ARG002
        assert isinstance(ctx.trace, RequestTrace)
        ctx.trace.end(ctx, outcome)


@contextmanager
def call_tracer(endpoint: str) -> Iterator[RequestTracer]:
    """Sends spans to an OTLP receiver over HTTP in the background, and the last ones at the end.

    Sampling and headers are set by OpenTelemetry's own variables, `OTEL_…`.

    Raises:
        SettingsInvalid: the extra `otel` is not installed, or `endpoint` is not an HTTP address.
    """
    if urlsplit(endpoint).scheme not in ("http", "https"):
        raise SettingsInvalid(
            f"otlp_endpoint is {endpoint!r}; it must be an http:// or https:// address", param="otlp_endpoint"
        )
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "otlp_endpoint: traces need extra packages: pip install 'nextchar[otel]'", param="otlp_endpoint"
        ) from error
    whole = endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + "/v1/traces"
    resource = Resource.create({"service.name": "nextchar", "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=whole)))
    try:
        yield RequestTracer(provider.get_tracer("nextchar", __version__))
    finally:
        provider.shutdown()
