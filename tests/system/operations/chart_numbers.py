"""What the chart does to the end of a pod's life, read from its values: preStop, timeout, grace."""

import re
from dataclasses import dataclass
from pathlib import Path

_VALUES = Path(__file__).parents[3] / "helm/nextchar/values.yaml"


@dataclass(frozen=True)
class ChartNumbers:
    """The seconds of the chart."""

    pre_stop: float
    grace: float
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
        shutdown_timeout=timeout,
    )
