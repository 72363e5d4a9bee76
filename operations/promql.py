"""Builds queries over the table of metrics; an unknown metric, label or label value fails an assertion."""

from nextchar.telemetry.metric_table import (
    CAUSES,
    KINDS,
    LEVELS,
    METRICS,
    OPS,
    ORIGINS,
    OUTCOMES,
    PHASES,
    PREDICTORS,
    RESULTS,
    TASKS,
    VERDICTS,
)

# The metrics that prometheus_client adds for the process.
PROCESS = (
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)
_TARGET = ("namespace", "job", "instance", "pod")  # Prometheus' own labels
LABEL_VALUES = {  # of the labels that have a closed set of them
    "outcome": OUTCOMES,
    "cause": CAUSES,
    "result": RESULTS,
    "phase": PHASES,
    "level": LEVELS,
    "kind": KINDS,
    "predictor": PREDICTORS,
    "origin": ORIGINS,
    "verdict": VERDICTS,
    "op": OPS,
    "task": TASKS,
    "protocol": ("rest", "grpc"),
}


def series(name: str, *, suffix: str = "", by: tuple[str, ...] = (), **match: str) -> str:
    """Returns the selector of a metric; a value with the prefix ~, !~ or ! uses that operator."""
    labels = METRICS[name].labels if name in METRICS else ()
    assert name in METRICS or name in PROCESS, f"there is no metric {name}"
    if suffix:
        assert METRICS[name].kind == "histogram", name
    for label in (*by, *match):
        known = (*labels, *_TARGET, *(("le",) if suffix == "_bucket" else ()))
        assert label in known, f"{name} has no label {label}"
    matchers = ",".join(_matcher(label, value) for label, value in match.items())
    return f"{name}{suffix}{{{matchers}}}" if matchers else f"{name}{suffix}"


def _matcher(label: str, given: str) -> str:
    value = given.lstrip("!~")
    operator = {"": "=", "~": "=~", "!": "!=", "!~": "!~"}[given[: len(given) - len(value)]]
    for word in value.split("|") if label in LABEL_VALUES else ():
        assert word in LABEL_VALUES[label], f"{label} is never {word}"
    return f'{label}{operator}"{value}"'


def rate(name: str, window: str, *, by: tuple[str, ...] = (), **match: str) -> str:
    """Returns the summed rate of a counter, per second."""
    return f"{_sum(by)}(rate({series(name, by=by, **match)}[{window}]))"


def count_rate(name: str, window: str, *, by: tuple[str, ...] = (), **match: str) -> str:
    """Returns the summed rate of a histogram's observations; with `le` of those below a bound."""
    suffix = "_bucket" if "le" in match else "_count"
    if "le" in match:
        assert float(match["le"]) in METRICS[name].buckets, f"{name} has no bound {match['le']}"
    return f"{_sum(by)}(rate({series(name, suffix=suffix, by=by, **match)}[{window}]))"


def mean(name: str, window: str, *, by: tuple[str, ...] = (), offset: str = "", **match: str) -> str:
    """Returns the mean of a histogram."""
    back = f" offset {offset}" if offset else ""
    total, count = (series(name, suffix=suffix, by=by, **match) for suffix in ("_sum", "_count"))
    return f"{_sum(by)}(rate({total}[{window}]{back})) / {_sum(by)}(rate({count}[{window}]{back}))"


def quantile(q: float, name: str, window: str, *, by: tuple[str, ...] = (), **match: str) -> str:
    """Returns a quantile of a histogram."""
    inner = series(name, suffix="_bucket", by=by, **match)
    return f"histogram_quantile({q:g}, {_sum((*by, 'le'))}(rate({inner}[{window}])))"


def value(name: str, *, by: tuple[str, ...] = (), how: str = "sum", **match: str) -> str:
    """Returns a gauge, summed or aggregated by `how`."""
    return f"{_sum(by, how)}({series(name, by=by, **match)})"


def _sum(by: tuple[str, ...], how: str = "sum") -> str:
    return f"{how} by ({', '.join(by)}) " if by else how
