"""The alerts: what is wrong, from which query on, and for how long. Each has a section in docs/operations.md."""

from dataclasses import dataclass
from typing import Literal

from operations.promql import count_rate, quantile, rate, series, value
from operations.recordings import BAD, BITS, SLOW, SLOW_SECONDS, UNKNOWN, recorded

_JOB = ("namespace", "job")
_MODEL = (*_JOB, "model")
_VERSION = (*_MODEL, "version")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. A page wakes somebody, a ticket is for the morning."""

    name: str
    expr: str
    lasting: str
    severity: Literal["page", "ticket"]
    summary: str
    description: str


def _burn(family: str, budget: float, factor: float, windows: tuple[str, str]) -> str:
    """Over a long window, so that it matters, and a short one, so that it ends when the trouble does."""
    return "\nand\n".join(f"{recorded(family, window)} > {factor:g} * {budget:g}" for window in windows)


_ERROR_BUDGET, _SLOW_BUDGET = 0.001, 0.01  # objectives: 99.9 % answered, 99 % of the quick calls in time

_OBJECTIVES = (
    Alert(
        "NextcharErrorBudgetBurnsFast",
        _burn(BAD, _ERROR_BUDGET, 14.4, ("1h", "5m")),
        "2m",
        "page",
        "{{ $value | humanizePercentage }} of requests fail",
        "At this rate the errors allowed in 30 days (0.1 %) are used up in two days.",
    ),
    Alert(
        "NextcharErrorBudgetBurns",
        _burn(BAD, _ERROR_BUDGET, 6, ("6h", "30m")),
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of requests have failed for hours",
        "At this rate the errors allowed in 30 days (0.1 %) are used up in five days.",
    ),
    Alert(
        "NextcharLatencyBudgetBurnsFast",
        _burn(SLOW, _SLOW_BUDGET, 14.4, ("1h", "5m")),
        "2m",
        "page",
        f"{{{{ $value | humanizePercentage }}}} of live calls take more than {SLOW_SECONDS} s",
        "One in a hundred may. At this rate the slow calls allowed in 30 days are used up in two days.",
    ),
    Alert(
        "NextcharLatencyBudgetBurns",
        _burn(SLOW, _SLOW_BUDGET, 6, ("6h", "30m")),
        "15m",
        "ticket",
        f"{{{{ $value | humanizePercentage }}}} of live calls have taken more than {SLOW_SECONDS} s for hours",
        "One in a hundred may. At this rate the slow calls allowed in 30 days are used up in five days.",
    ),
)
_SERVER = (
    Alert(
        "NextcharAbsent",
        f"absent({series('nextchar_model_info')})",
        "5m",
        "page",
        "no nextchar server is scraped",
        "Every server is down, or none is found by Prometheus.",
    ),
    Alert(
        "NextcharModelNotReady",
        f"{value('nextchar_model_ready', by=(*_VERSION, 'instance'), how='min')} == 0",
        "1m",
        "page",
        "model {{ $labels.model }}:{{ $labels.version }} on {{ $labels.instance }} does not answer",
        "Its engine has failed; the cause is in the server's log. The server is unready as a whole.",
    ),
    Alert(
        "NextcharBackgroundTaskFailed",
        f"{value('nextchar_background_task_failures_total', by=(*_JOB, 'instance', 'task'))} > 0",
        "1m",
        "page",
        "background task {{ $labels.task }} on {{ $labels.instance }} has failed",
        "The server is unready until it is restarted; its log has the cause.",
    ),
    Alert(
        "NextcharFilesExhausted",
        f"{series('process_open_fds')} / {series('process_max_fds')} > 0.8\n"
        f"and on (job, instance) {series('nextchar_model_info')}",
        "5m",
        "ticket",
        "{{ $labels.instance }} has {{ $value | humanizePercentage }} of its files open",
        "Every connection is one; at the limit new ones are refused.",
    ),
)
_SATURATION = (
    Alert(
        "NextcharRejecting",
        f"{rate('nextchar_requests_total', '5m', by=_JOB, outcome='rejected')}\n"
        f"/ {rate('nextchar_requests_total', '5m', by=_JOB)} > 0.01",
        "5m",
        "page",
        "{{ $value | humanizePercentage }} of requests are refused (429, 503)",
        "The queue or a budget is full, the session store is away, or servers drain for long.",
    ),
    Alert(
        "NextcharQueueFilling",
        f"{value('nextchar_queue_depth', by=_MODEL)}\n/ {value('nextchar_queue_limit', by=_MODEL)} > 0.5",
        "5m",
        "page",
        "the queue of {{ $labels.model }} is {{ $value | humanizePercentage }} full",
        "When it is full, requests are refused with 429.",
    ),
    Alert(
        "NextcharQueueSlow",
        f"{quantile(0.99, 'nextchar_queue_duration_seconds', '5m', by=_MODEL)} > 1",
        "10m",
        "ticket",
        "requests of {{ $labels.model }} wait {{ $value | humanizeDuration }} for a row (p99)",
        "More comes than the engines advance.",
    ),
    Alert(
        "NextcharLanesSaturated",
        f"{value('nextchar_lanes_running', by=_MODEL)}\n/ {value('nextchar_lanes_limit', by=_MODEL)} > 0.9",
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of the rows of {{ $labels.model }} are in use",
        "New completions wait for running ones to end.",
    ),
)
_STORE_CALLS = count_rate("nextchar_state_store_duration_seconds", "5m", by=_JOB)
_SESSIONS = (
    Alert(
        "NextcharSessionStoreFails",
        f"{rate('nextchar_state_store_errors_total', '5m', by=_JOB)}\n/ {_STORE_CALLS} > 0.01",
        "2m",
        "page",
        "{{ $value | humanizePercentage }} of the calls of the session store fail",
        "Every call of a session is a 503 store_unavailable meanwhile; other calls are answered.",
    ),
    Alert(
        "NextcharSessionStoreSlow",
        f"{quantile(0.99, 'nextchar_state_store_duration_seconds', '5m', by=_JOB, op='~load|replace|create')} > 0.25",
        "10m",
        "ticket",
        "the session store takes {{ $value | humanizeDuration }} (p99)",
        "Every change of a session waits for one read and one write.",
    ),
    Alert(
        "NextcharSessionConflicts",
        f"{rate('nextchar_session_conflicts_total', '10m', by=_JOB)}\n"
        f"/ {count_rate('nextchar_state_store_duration_seconds', '10m', by=_JOB, op='replace')} > 0.05",
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of the changes of sessions came too late",
        "Several clients change one session at once, or a client does not wait for its answer.",
    ),
    Alert(
        "NextcharSessionsMissing",
        f"{rate('nextchar_session_lookups_total', '10m', by=_JOB, result='~missing|expired')}\n"
        f"/ {rate('nextchar_session_lookups_total', '10m', by=_JOB)} > 0.2",
        "10m",
        "ticket",
        "{{ $value | humanizePercentage }} of the sessions asked for are not there",
        "The store has lost them, they expire too early, or replicas do not share a store.",
    ),
)
_DRIFT = (
    Alert(
        "NextcharScoresShifted",
        f"abs({recorded(BITS, '1h')} - {recorded(BITS, '1h')} offset 1d) > 0.5\n"
        f"and {count_rate('nextchar_score_bits_per_char', '1h', by=_MODEL)} > 0.1",
        "30m",
        "ticket",
        "scores of {{ $labels.model }} have moved by {{ $value | humanize }} bits a character in a day",
        "What is scored is not what was scored yesterday, or the model was replaced.",
    ),
    Alert(
        "NextcharUnknownCharacters",
        f"{recorded(UNKNOWN, '1h')} > 0.05",
        "30m",
        "ticket",
        "{{ $value | humanizePercentage }} of the characters for {{ $labels.model }} are outside its vocabulary",
        "The model cannot tell them apart: the text is of another script or another encoding.",
    ),
)

ALERTS = {alert.name: alert for alert in (*_OBJECTIVES, *_SERVER, *_SATURATION, *_SESSIONS, *_DRIFT)}
