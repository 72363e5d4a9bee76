"""What the chart does to a pod's life, read from its values: probes, preStop, grace."""

import re
from dataclasses import dataclass
from pathlib import Path

_VALUES = Path(__file__).parents[2] / "helm/nextchar/values.yaml"


@dataclass(frozen=True)
class ChartNumbers:
    """Seconds, but for the thresholds."""

    pre_stop: float
    grace: float
    startup_period: float
    readiness_period: float
    shutdown_timeout: float


def chart_numbers() -> ChartNumbers:
    """Those of the chart's values."""
    text = _VALUES.read_text()

    def number(pattern: str) -> float:
        found = re.search(pattern, text)
        assert found, f"{_VALUES.name} has no {pattern}"
        return float(found[1])

    pre_stop = number(r"preStopSeconds: (\d+)")
    timeout = number(r"shutdown_timeout_seconds: (\d+)")
    return ChartNumbers(
        pre_stop=pre_stop,
        grace=pre_stop + timeout + number(r"marginSeconds: (\d+)"),
        startup_period=number(r"startup: \{periodSeconds: (\d+)"),
        readiness_period=number(r"readiness: \{periodSeconds: (\d+)"),
        shutdown_timeout=timeout,
    )
