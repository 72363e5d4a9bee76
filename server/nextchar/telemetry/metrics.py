"""Counts requests; every metric with its labels and buckets is defined in `metric_table`.

Requests are observed where they happen; engines count for themselves (`engine_stats`) and are read at the
scrape.
"""

import asyncio
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from nextchar.errors import (
    AuthenticationFailed,
    ClientGone,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    PermissionDenied,
    QueueFull,
    RequestTimeout,
    RouteNotFound,
    SessionError,
    SessionLimit,
    Unavailable,
)
from nextchar.telemetry.calls import CALL, Call, mark_counted, was_counted
from nextchar.telemetry.engine_stats import Tally
from nextchar.telemetry.log_writer import OF_PROCESS
from nextchar.telemetry.metric_registry import counter, counter_family, gauge, histogram
from nextchar.telemetry.metric_table import METRICS, PREDICTORS
from nextchar.telemetry.model_metrics import ModelsCollector, ObservedModel
from nextchar.telemetry.request_context import ProtocolName, RequestContext, Route
from nextchar.telemetry.triton_statistics import Statistics

LN2 = math.log(2)


class RequestObserver(Protocol):
    """Observes the begin and the end of every request, as the access log and the tracer do."""

    def begun(self, ctx: RequestContext) -> None: ...
    def ended(self, ctx: RequestContext, outcome: str, error: BaseException | None) -> None: ...


class Metrics:
    """Counts the requests of one server in a registry of its own; a process may run several servers."""

    CONTENT_TYPE = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        self._requests = counter("nextchar_requests_total", r)
        self._duration = histogram("nextchar_request_duration_seconds", r)
        self._in_progress = gauge("nextchar_requests_in_progress", r)
        self.num_in_progress = 0
        self._queue = histogram("nextchar_queue_duration_seconds", r)
        self._first_char = histogram("nextchar_time_to_first_char_seconds", r)
        self._inter_char = histogram("nextchar_inter_char_seconds", r)
        self._chars = counter("nextchar_chars_total", r)
        self._unknown_chars = counter("nextchar_unknown_chars_total", r)
        self._adaptive_chars = counter("nextchar_adaptive_chars_total", r)
        self._adaptive_bits = counter("nextchar_adaptive_bits_total", r)
        self._size = histogram("nextchar_request_size_chars", r)
        self._bits: dict[str, Tally] = {}
        self.statistics = Statistics()
        self.observers: list[RequestObserver] = []
        r.register(_LogCollector())
        ProcessCollector(registry=r)
        PlatformCollector(registry=r)

    def collect_from(self, models: Iterable[ObservedModel]) -> None:
        """Registers models whose engines are read at every scrape."""
        self.registry.register(ModelsCollector(models, self._bits))

    def exposition(self) -> bytes:
        """Returns the response to a scrape."""
        return generate_latest(self.registry)

    @contextmanager
    def observe(self, ctx: RequestContext) -> Iterator[RequestContext]:
        """Counts a request, its duration and its outcome around the code that answers it."""
        progress = self._in_progress.labels(ctx.route, ctx.protocol)
        progress.inc()
        if (call := CALL.get()) is not None:
            call.num_requests += 1
        self.num_in_progress += 1
        for observer in self.observers:
            observer.begun(ctx)
        outcome, failed = "error", None
        try:
            yield ctx
            outcome = "success"
        except BaseException as error:
            outcome, failed = outcome_of(error), error
            mark_counted(error)
            raise
        finally:
            progress.dec()
            self.num_in_progress -= 1
            labels = (ctx.model, ctx.version, ctx.route, ctx.protocol)
            self._requests.labels(*labels, outcome).inc()
            seconds = time.monotonic() - ctx.started
            self._duration.labels(*labels).observe(seconds)
            self.statistics.add(ctx, seconds, success=outcome == "success")
            for observer in self.observers:
                observer.ended(ctx, outcome, failed)
            ctx.end()

    def count_call(self, call: Call, route: Route, protocol: ProtocolName, started: float) -> None:
        """Counts at the end of a call what none of its requests has counted; `started` is monotonic."""
        if call.uncounted is not None:
            self.count(route, protocol, call.uncounted, time.monotonic() - started)

    def count(self, route: Route, protocol: ProtocolName, outcome: str, seconds: float = 0.0) -> None:
        """Counts a call that has no request context: refused early, or about the server itself."""
        self._requests.labels("", "", route, protocol, outcome).inc()
        self._duration.labels("", "", route, protocol).observe(seconds)

    def observe_size(self, ctx: RequestContext, num_chars: int) -> None:
        self._size.labels(ctx.model, ctx.version, ctx.route, ctx.protocol).observe(num_chars)

    def observe_queue(self, ctx: RequestContext, seconds: float, *, num_strings: int = 1) -> None:
        """Counts how long the strings or the completion of a request waited for their rows."""
        ctx.queue_seconds += seconds
        ctx.num_inferences = max(ctx.num_inferences, num_strings)
        self._queue.labels(ctx.model, ctx.version).observe(seconds)

    def observe_first_char(self, ctx: RequestContext) -> None:
        self._first_char.labels(ctx.model, ctx.version).observe(time.monotonic() - ctx.started)

    def observe_inter_char(self, ctx: RequestContext, seconds: float) -> None:
        self._inter_char.labels(ctx.model, ctx.version).observe(seconds)

    def count_chars(self, ctx: RequestContext, **by_kind: int) -> None:
        """Counts characters by kind: scored, fed, sampled."""
        sampled = by_kind.get("sampled", 0)
        ctx.num_sampled += sampled
        ctx.num_given += sum(by_kind.values()) - sampled
        for kind, count in by_kind.items():
            if count:
                self._chars.labels(ctx.model, ctx.version, kind).inc(count)

    def count_adaptive(
        self,
        ctx: RequestContext,
        logprobs: NDArray[np.float64],
        model_logprobs: NDArray[np.float64] | None,
    ) -> None:
        """Counts characters that were read and learned, and their bits by the mixture and the model alone."""
        if model_logprobs is None or not len(model_logprobs):
            return
        assert len(logprobs) == len(model_logprobs)
        labels = ctx.model, ctx.version
        self._adaptive_chars.labels(*labels).inc(len(logprobs))
        for predictor, values in zip(PREDICTORS, (model_logprobs, logprobs), strict=True):
            self._adaptive_bits.labels(*labels, predictor).inc(max(0.0, -float(values.sum()) / LN2))

    def count_unknown(self, ctx: RequestContext, count: int) -> None:
        if count:
            self._unknown_chars.labels(ctx.model, ctx.version).inc(count)

    def observe_scores(self, ctx: RequestContext, bits_per_char: NDArray[np.float64]) -> None:
        """Counts the bits per character of many scores at once."""
        self._bits.setdefault(ctx.model, Tally(METRICS["nextchar_score_bits_per_char"].buckets)).add_all(
            bits_per_char
        )


class _LogCollector(Collector):
    """Reads at a scrape how many log lines the process has dropped."""

    def collect(self) -> Iterator[Metric]:
        family = counter_family("nextchar_log_lines_dropped_total")
        family.add_metric([], OF_PROCESS.count)
        yield family


_CLIENT_ERRORS = (
    AuthenticationFailed,
    InvalidRequest,
    ModelNotFound,
    PermissionDenied,
    RouteNotFound,
    SessionError,
)


def note_failure(error: BaseException) -> None:
    """Notes what ends the call of this task, unless a request that ended with it has been counted."""
    if (call := CALL.get()) is not None and not was_counted(error):
        call.outcome = outcome_of(error)


def outcome_of(error: BaseException) -> str:
    """Returns the outcome label of a request that ended with this error."""
    kinds: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
        (_CLIENT_ERRORS, "invalid"),
        ((QueueFull, Unavailable, SessionLimit), "rejected"),
        ((asyncio.CancelledError, GeneratorExit, ClientGone), "cancelled"),
        ((DeadlineExceeded, RequestTimeout), "timeout"),
    )
    return next((name for types, name in kinds if isinstance(error, types)), "error")
