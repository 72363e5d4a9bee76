"""Every metric, by name, label and bucket; the only module that knows prometheus_client.

Requests are observed where they happen; engines count for themselves (`engine_stats`) and are read at
the scrape.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from nextchar.call import Call
from nextchar.engine_stats import DURATION_BUCKETS, EngineStats, Tally
from nextchar.errors import (
    ClientGone,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    QueueFull,
    SessionError,
    SessionLimit,
    Unavailable,
)
from nextchar.statistics import Statistics

_CHARS_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
_BITS_BUCKETS = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16)
_MODEL = ("model", "version")


class ObservedModel(Protocol):
    """What the metrics read from a served model."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def info(self) -> dict[str, str]: ...
    @property
    def ready(self) -> bool: ...
    @property
    def num_waiting(self) -> int: ...
    @property
    def stats(self) -> list[EngineStats]: ...
    @property
    def load_duration_seconds(self) -> float: ...


class Metrics:
    """One registry for one server, so that two servers in a process do not mix."""

    CONTENT_TYPE = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = r = CollectorRegistry()
        request = (*_MODEL, "route", "protocol")
        self._requests = Counter(
            "nextchar_requests", "Requests by outcome.", (*request, "outcome"), registry=r
        )
        self._duration = _seconds("nextchar_request_duration", "From arrival to the last byte.", request, r)
        self._in_progress = Gauge(
            "nextchar_requests_in_progress", "Requests being answered.", ("route", "protocol"), registry=r
        )
        self._queue = _seconds("nextchar_queue_duration", "From submission to a lane.", _MODEL, r)
        self._first_char = _seconds(
            "nextchar_time_to_first_char", "From arrival to the first character of a completion.", _MODEL, r
        )
        self._inter_char = _seconds(
            "nextchar_inter_char", "Seconds a character between the deliveries of a stream.", _MODEL, r
        )
        self._chars = Counter(
            "nextchar_chars", "Characters through the model, by kind.", (*_MODEL, "kind"), registry=r
        )
        self._unknown_chars = Counter(
            "nextchar_unknown_chars", "Characters outside the vocabulary.", _MODEL, registry=r
        )
        self._size = Histogram(
            "nextchar_request_size_chars",
            "Characters given by a request.",
            request,
            buckets=_CHARS_BUCKETS,
            registry=r,
        )
        self._bits: dict[str, Tally] = {}
        self.statistics = Statistics()
        ProcessCollector(registry=r)
        PlatformCollector(registry=r)

    def collect_from(self, models: Iterable[ObservedModel]) -> None:
        """Read these models' engines at every scrape."""
        self.registry.register(_ModelsCollector(models, self._bits))

    def exposition(self) -> bytes:
        """The text a scrape gets."""
        return generate_latest(self.registry)

    @contextmanager
    def observe(self, call: Call) -> Iterator[Call]:
        """Count a call and its outcome around the code that answers it."""
        progress = self._in_progress.labels(call.route, call.protocol)
        progress.inc()
        outcome = "error"
        try:
            yield call
            outcome = "success"
        except BaseException as error:
            outcome = _outcome(error)
            raise
        finally:
            progress.dec()
            labels = (call.model, call.version, call.route, call.protocol)
            self._requests.labels(*labels, outcome).inc()
            seconds = time.monotonic() - call.started
            self._duration.labels(*labels).observe(seconds)
            self.statistics.add(call, seconds, success=outcome == "success")

    def observe_size(self, call: Call, num_chars: int) -> None:
        self._size.labels(call.model, call.version, call.route, call.protocol).observe(num_chars)

    def observe_queue(self, call: Call, seconds: float, *, num_strings: int = 1) -> None:
        """Count how long a call's strings, or its completion, waited for their rows."""
        call.queue_seconds += seconds
        call.num_inferences = max(call.num_inferences, num_strings)
        self._queue.labels(call.model, call.version).observe(seconds)

    def observe_first_char(self, call: Call) -> None:
        self._first_char.labels(call.model, call.version).observe(time.monotonic() - call.started)

    def observe_inter_char(self, call: Call, seconds: float) -> None:
        self._inter_char.labels(call.model, call.version).observe(seconds)

    def count_chars(self, call: Call, **by_kind: int) -> None:
        """Add characters by kind: scored, fed, sampled."""
        for kind, count in by_kind.items():
            if count:
                self._chars.labels(call.model, call.version, kind).inc(count)

    def count_unknown(self, call: Call, count: int) -> None:
        if count:
            self._unknown_chars.labels(call.model, call.version).inc(count)

    def observe_scores(self, call: Call, bits_per_char: NDArray[np.float64]) -> None:
        """Count many scores at once."""
        self._bits.setdefault(call.model, Tally(_BITS_BUCKETS)).add_all(bits_per_char)


def _seconds(name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> Histogram:
    return Histogram(f"{name}_seconds", text, labels, buckets=DURATION_BUCKETS, registry=registry)


def _outcome(error: BaseException) -> str:
    kinds: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
        ((InvalidRequest, ModelNotFound, SessionError), "invalid"),
        ((QueueFull, Unavailable, SessionLimit), "rejected"),
        ((asyncio.CancelledError, GeneratorExit, ClientGone), "cancelled"),
        ((DeadlineExceeded,), "timeout"),
    )
    return next((name for types, name in kinds if isinstance(error, types)), "error")


class _ModelsCollector(Collector):
    """Turns the engines' own counts into metrics when somebody asks."""

    def __init__(self, models: Iterable[ObservedModel], bits_by_model: dict[str, Tally]) -> None:
        self._models = models
        self._bits_by_model = bits_by_model

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering does not collect before there are models

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            "nextchar_model_info",
            "The served models.",
            labels=("model", "version", "cell", "precision", "vocab_size", "digest"),
        )
        ready = GaugeMetricFamily("nextchar_model_ready", "1 if the model answers.", labels=_MODEL)
        load = GaugeMetricFamily("nextchar_model_load_duration_seconds", "Time to load.", labels=_MODEL)
        depth = GaugeMetricFamily("nextchar_queue_depth", "Strings that wait for a row.", labels=_MODEL)
        batch = HistogramMetricFamily("nextchar_batch_size", "Lanes in a step.", labels=_MODEL)
        compute = HistogramMetricFamily(
            "nextchar_compute_duration_seconds", "Time of a step, by phase.", labels=(*_MODEL, "phase")
        )
        for model in self._models:
            name = [model.name, model.version]
            i = model.info
            info.add_metric([*name, i["cell"], i["precision"], i["vocab_size"], i["digest"]], 1)
            ready.add_metric(name, model.ready)
            load.add_metric(name, model.load_duration_seconds)
            depth.add_metric(name, model.num_waiting)
            _add(batch, name, [stats.batch_size for stats in model.stats])
            _add(compute, [*name, "step"], [stats.step_seconds for stats in model.stats])
            _add(compute, [*name, "sample"], [stats.sample_seconds for stats in model.stats])
        bits = HistogramMetricFamily(
            "nextchar_score_bits_per_char", "Scores, to see drift.", labels=("model",)
        )
        for model_name, tally in list(self._bits_by_model.items()):
            _add(bits, [model_name], [tally])
        return [info, ready, load, depth, batch, compute, bits]


def _add(family: HistogramMetricFamily, labels: list[str], tallies: list[Tally]) -> None:
    """One histogram of the counts of several engines."""
    counts = [sum(column) for column in zip(*(tally.counts for tally in tallies), strict=True)]
    total, buckets = 0, []
    for bound, count in zip([*map(float, tallies[0].bounds), float("inf")], counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
    family.add_metric(labels, buckets, sum(tally.sum for tally in tallies))
