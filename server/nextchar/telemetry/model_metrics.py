"""Reads the counts of models and engines at a scrape; engines count for themselves (`engine_stats`)."""

from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nextchar.telemetry.engine_stats import EngineStats, Tally
from nextchar.telemetry.metric_registry import add_tallies, counter_family, gauge_family, histogram_family
from nextchar.telemetry.metric_table import LEVELS, ORIGINS


class ObservedTables(Protocol):
    """What is told of the tables that a model keeps of adaptive lanes that have ended."""

    @property
    def num_tables(self) -> int: ...
    @property
    def num_bytes(self) -> int: ...
    @property
    def num_hits(self) -> int: ...
    @property
    def num_misses(self) -> int: ...


class ObservedModel(Protocol):
    """The attributes of a served model that the metrics read."""

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
    def max_waiting(self) -> int: ...
    @property
    def num_running(self) -> int: ...
    @property
    def max_lanes(self) -> int: ...
    @property
    def num_adaptive(self) -> int: ...
    @property
    def table_bytes(self) -> int: ...
    @property
    def max_table_bytes(self) -> int: ...
    @property
    def hot_tables(self) -> ObservedTables: ...
    @property
    def stats(self) -> list[EngineStats]: ...
    @property
    def load_duration_seconds(self) -> float: ...


class ModelsCollector(Collector):
    """Makes metrics of the counts of models and engines at each scrape.

    A model has several engines; a metric is their sum.
    """

    def __init__(self, models: Iterable[ObservedModel], bits_by_model: dict[str, Tally]) -> None:
        self._models = models
        self._bits_by_model = bits_by_model

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering does not collect before there are models

    def collect(self) -> Iterable[Metric]:
        models = list(self._models)
        bits = histogram_family("nextchar_score_bits_per_char")
        for model_name, tally in list(self._bits_by_model.items()):
            add_tallies(bits, [model_name], [tally])
        return [*_gauges(models), _tables(models), *_tallies(models), bits]


def _gauges(models: list[ObservedModel]) -> Iterable[Metric]:
    info = gauge_family("nextchar_model_info")
    values: list[tuple[GaugeMetricFamily, Callable[[ObservedModel], float]]] = [
        (gauge_family("nextchar_model_ready"), lambda model: model.ready),
        (gauge_family("nextchar_model_load_duration_seconds"), lambda model: model.load_duration_seconds),
        (gauge_family("nextchar_queue_depth"), lambda model: model.num_waiting),
        (gauge_family("nextchar_queue_limit"), lambda model: model.max_waiting),
        (gauge_family("nextchar_lanes_running"), lambda model: model.num_running),
        (gauge_family("nextchar_lanes_limit"), lambda model: model.max_lanes),
        (gauge_family("nextchar_adaptive_lanes"), lambda model: model.num_adaptive),
        (gauge_family("nextchar_adaptive_table_bytes"), lambda model: model.table_bytes),
        (gauge_family("nextchar_adaptive_table_limit_bytes"), lambda model: model.max_table_bytes),
        (gauge_family("nextchar_adaptive_hot_tables"), lambda model: model.hot_tables.num_tables),
        (gauge_family("nextchar_adaptive_hot_table_bytes"), lambda model: model.hot_tables.num_bytes),
    ]
    for model in models:
        name, i = [model.name, model.version], model.info
        labels = ("cell", "precision", "vocab_size", "digest", "kernels")
        info.add_metric([*name, *(i[label] for label in labels)], 1)
        for family, value in values:
            family.add_metric(name, value(model))
    return [info, *(family for family, _ in values)]


def _tables(models: list[ObservedModel]) -> Metric:
    """Counts the tables with which adaptive lanes went on."""
    counts = counter_family("nextchar_adaptive_tables_total")
    for model in models:
        hot = model.hot_tables
        for origin, count in zip(ORIGINS, (hot.num_hits, hot.num_misses), strict=True):
            counts.add_metric([model.name, model.version, origin], count)
    return counts


def _tallies(models: list[ObservedModel]) -> Iterable[Metric]:
    batch, wait = histogram_family("nextchar_batch_size"), histogram_family("nextchar_batch_wait_seconds")
    compute = histogram_family("nextchar_compute_duration_seconds")
    for model in models:
        name = [model.name, model.version]
        add_tallies(batch, name, [stats.batch_size for stats in model.stats])
        for index, level in enumerate(LEVELS):
            add_tallies(wait, [*name, level], [stats.wait_seconds[index] for stats in model.stats])
        add_tallies(compute, [*name, "step"], [stats.step_seconds for stats in model.stats])
        add_tallies(compute, [*name, "sample"], [stats.sample_seconds for stats in model.stats])
    return [batch, wait, compute]
