"""What the dashboard shows: rows of panels, each a few queries. Every metric of the table is in one."""

from dataclasses import dataclass

from nextchar.telemetry.metric_table import METRICS
from operations import promql

_WINDOW = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph: its queries by legend; the unit is Grafana's word for it."""

    title: str
    unit: str
    text: str
    queries: dict[str, str]


def _chosen(name: str) -> dict[str, str]:
    """What the reader chose at the top, as far as the metric has it."""
    model = {"model": "~$model"} if name in METRICS and "model" in METRICS[name].labels else {}
    # Requests that name no model are counted with an empty one.
    return {"job": "~$job", **({"model": "~$model|"} if "outcome" in _labels(name) else model)}


def _labels(name: str) -> tuple[str, ...]:
    return METRICS[name].labels if name in METRICS else ()


def _rate(name: str, *by: str, **match: str) -> str:
    return promql.rate(name, _WINDOW, by=by, **_chosen(name), **match)


def _value(name: str, *by: str, how: str = "sum", **match: str) -> str:
    return promql.value(name, by=by, how=how, **_chosen(name), **match)


def _quantiles(name: str, *by: str, **match: str) -> dict[str, str]:
    legend = " ".join(f"{{{{{label}}}}}" for label in by)
    return {
        f"p{q * 100:g} {legend}".strip(): promql.quantile(q, name, _WINDOW, by=by, **_chosen(name), **match)
        for q in (0.5, 0.99)
    }


def _mean(name: str, *by: str) -> str:
    return promql.mean(name, _WINDOW, by=by, **_chosen(name))


def _one(title: str, unit: str, text: str, legend: str, query: str) -> Panel:
    return Panel(title, unit, text, {legend: query})


_REQUESTS: list[Panel] = [
    _one("Requests", "reqps", "By outcome.", "{{outcome}}", _rate("nextchar_requests_total", "outcome")),
    _one("Requests by route", "reqps", "", "{{route}}", _rate("nextchar_requests_total", "route")),
    _one(
        "Not answered",
        "percentunit",
        "Of all requests: refused, late, failed, left by their clients.",
        "{{outcome}}",
        f"{_rate('nextchar_requests_total', 'outcome', outcome='!~success|invalid')}"
        f" / on () group_left {_rate('nextchar_requests_total')}",
    ),
    Panel("Duration", "s", "By route.", _quantiles("nextchar_request_duration_seconds", "route")),
    _one("In progress", "short", "", "{{route}}", _value("nextchar_requests_in_progress", "route")),
    Panel(
        "Size", "short", "Characters given by a request.", _quantiles("nextchar_request_size_chars", "route")
    ),
    Panel("First character", "s", "Of a stream.", _quantiles("nextchar_time_to_first_char_seconds", "model")),
    Panel("Between characters", "s", "Of a stream.", _quantiles("nextchar_inter_char_seconds", "model")),
]
_ENGINE: list[Panel] = [
    _one("Characters", "cps", "Through the models.", "{{kind}}", _rate("nextchar_chars_total", "kind")),
    Panel("Wait for a row", "s", "", _quantiles("nextchar_queue_duration_seconds", "model")),
    Panel(
        "Queue",
        "short",
        "Strings that wait, and that may.",
        {
            "{{model}}": _value("nextchar_queue_depth", "model"),
            "limit {{model}}": _value("nextchar_queue_limit", "model"),
        },
    ),
    Panel(
        "Rows",
        "short",
        "In use, and for lanes.",
        {
            "{{model}}": _value("nextchar_lanes_running", "model"),
            "limit {{model}}": _value("nextchar_lanes_limit", "model"),
        },
    ),
    _one("Batch size", "short", "Rows of a step, mean.", "{{model}}", _mean("nextchar_batch_size", "model")),
    Panel("Wait for a call", "s", "By level.", _quantiles("nextchar_batch_wait_seconds", "level")),
    Panel("Step", "s", "By phase.", _quantiles("nextchar_compute_duration_seconds", "phase")),
]
_LOOKUPS = "nextchar_session_lookups_total"
_SESSIONS: list[Panel] = [
    _one("Sessions", "short", "Live in the store.", "live", _value("nextchar_sessions_active", how="max")),
    _one("Made", "cps", "", "made", _rate("nextchar_sessions_created_total")),
    _one("Ended", "cps", "By cause.", "{{cause}}", _rate("nextchar_sessions_ended_total", "cause")),
    _one("Lookups", "cps", "Restored: from another server.", "{{result}}", _rate(_LOOKUPS, "result")),
    Panel("Store", "s", "By operation.", _quantiles("nextchar_state_store_duration_seconds", "op")),
    _one("Store errors", "cps", "", "{{op}}", _rate("nextchar_state_store_errors_total", "op")),
    _one("Conflicts", "cps", "Changes too late.", "conflicts", _rate("nextchar_session_conflicts_total")),
    _one("Replayed", "cps", "Into another version.", "replayed", _rate("nextchar_sessions_replayed_total")),
    Panel("State", "bytes", "Of a session.", _quantiles("nextchar_session_state_bytes")),
    Panel("Age at the end", "s", "", _quantiles("nextchar_session_age_seconds")),
    Panel("Characters at the end", "short", "", _quantiles("nextchar_session_steps")),
]
_MODELS: list[Panel] = [
    _one(
        "Ready",
        "short",
        "Servers on which a model answers.",
        "{{model}}:{{version}}",
        _value("nextchar_model_ready", "model", "version"),
    ),
    _one(
        "Served",
        "short",
        "Servers by model file.",
        "{{model}}:{{version}} {{precision}} {{digest}}",
        _value("nextchar_model_info", "model", "version", "precision", "digest", how="count"),
    ),
    _one(
        "Load",
        "s",
        "To load and check.",
        "{{model}}",
        _value("nextchar_model_load_duration_seconds", "model", how="max"),
    ),
    Panel(
        "Bits a character", "short", "Of what is scored.", _quantiles("nextchar_score_bits_per_char", "model")
    ),
    _one("Bits, mean", "short", "", "{{model}}", _mean("nextchar_score_bits_per_char", "model")),
    _one(
        "Unknown characters",
        "percentunit",
        "Of those given.",
        "{{model}}",
        f"{_rate('nextchar_unknown_chars_total', 'model')} / {_rate('nextchar_chars_total', 'model', kind='~scored|fed')}",
    ),
]
_PROCESS: list[Panel] = [
    _one("Memory", "bytes", "", "{{instance}}", _value("process_resident_memory_bytes", "instance")),
    _one("CPU", "short", "Cores.", "{{instance}}", _rate("process_cpu_seconds_total", "instance")),
    Panel(
        "Files",
        "short",
        "Open, and allowed.",
        {
            "{{instance}}": _value("process_open_fds", "instance"),
            "limit {{instance}}": _value("process_max_fds", "instance"),
        },
    ),
    _one(
        "Failed background tasks",
        "short",
        "Number of background tasks that have failed since the server started; it is unready since then.",
        "{{task}} {{instance}}",
        _value("nextchar_background_task_failures_total", "task", "instance"),
    ),
]

ROWS: dict[str, list[Panel]] = {
    "Requests": _REQUESTS,
    "Engines": _ENGINE,
    "Sessions": _SESSIONS,
    "Models and drift": _MODELS,
    "Process": _PROCESS,
}
