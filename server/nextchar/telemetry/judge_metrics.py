"""Counts verdicts and their p-values, by judge."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nextchar.telemetry.engine_stats import Tally
from nextchar.telemetry.metric_registry import add_tallies, counter, histogram_family
from nextchar.telemetry.metric_table import METRICS, VERDICTS

_P_VALUE = "nextchar_verdict_p_value"


class JudgeMetrics(Collector):
    """Counts where strings are judged; p-values are read at the scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._verdicts = counter("nextchar_verdicts_total", registry)
        self._p_values: dict[tuple[str, str], Tally] = {}
        registry.register(self)

    def count(
        self, judge: str, version: str, is_flagged: NDArray[np.bool_], p_values: NDArray[np.float64]
    ) -> None:
        """Counts the verdicts on some strings, and their p-values."""
        num_flagged = int(is_flagged.sum())
        for verdict, num in zip(VERDICTS, (len(is_flagged) - num_flagged, num_flagged), strict=True):
            self._verdicts.labels(judge, version, verdict).inc(num)
        key = judge, version
        if key not in self._p_values:
            self._p_values[key] = Tally(METRICS[_P_VALUE].buckets)
        self._p_values[key].add_all(p_values)

    def describe(self) -> Iterable[Metric]:
        return []  # so that registering does not collect

    def collect(self) -> Iterable[Metric]:
        family = histogram_family(_P_VALUE)
        for labels, tally in list(self._p_values.items()):
            add_tallies(family, list(labels), [tally])
        return [family]
