"""Makes prometheus_client's objects from the table of metrics; an unknown name raises KeyError."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from nextchar.telemetry.engine_stats import Tally
from nextchar.telemetry.metric_table import METRICS


def counter(name: str, registry: CollectorRegistry) -> Counter:
    metric = METRICS[name]
    assert metric.kind == "counter", name
    return Counter(name, metric.text, metric.labels, registry=registry)


def gauge(name: str, registry: CollectorRegistry) -> Gauge:
    metric = METRICS[name]
    assert metric.kind == "gauge", name
    return Gauge(name, metric.text, metric.labels, registry=registry)


def histogram(name: str, registry: CollectorRegistry) -> Histogram:
    metric = METRICS[name]
    assert metric.kind == "histogram", name
    return Histogram(name, metric.text, metric.labels, buckets=metric.buckets, registry=registry)


def counter_family(name: str) -> CounterMetricFamily:
    """Makes a counter whose values are read at the scrape."""
    metric = METRICS[name]
    assert metric.kind == "counter", name
    return CounterMetricFamily(name, metric.text, labels=metric.labels)


def gauge_family(name: str) -> GaugeMetricFamily:
    """Makes a gauge whose values are read at the scrape."""
    metric = METRICS[name]
    assert metric.kind == "gauge", name
    return GaugeMetricFamily(name, metric.text, labels=metric.labels)


def histogram_family(name: str) -> HistogramMetricFamily:
    """Makes a histogram whose tallies are read at the scrape."""
    metric = METRICS[name]
    assert metric.kind == "histogram", name
    return HistogramMetricFamily(name, metric.text, labels=metric.labels)


def add_tallies(family: HistogramMetricFamily, labels: list[str], tallies: list[Tally]) -> None:
    """Adds the summed counts of several engines to a histogram."""
    counts = [sum(column) for column in zip(*(tally.counts for tally in tallies), strict=True)]
    total, buckets = 0, []
    for bound, count in zip([*map(float, tallies[0].bounds), float("inf")], counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
    family.add_metric(labels, buckets, sum(tally.sum for tally in tallies))
