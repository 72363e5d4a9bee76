"""Defines the alerts of Prometheus; each has a section in docs/operations.md, the runbook."""

from dataclasses import dataclass
from typing import Literal

from operations.promql import count_rate, quantile, rate, series, value
from operations.recordings import BAD, BITS, P_VALUES, SLOW, SLOW_SECONDS, UNKNOWN, recorded

_JOB = ("namespace", "job")
_MODEL = (*_JOB, "model")
_VERSION = (*_MODEL, "version")
_JUDGE = (*_JOB, "judge", "version")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: it fires when `expr` holds for `lasting`. A page wakes someone, a ticket can wait."""

    name: str
    expr: str
    lasting: str
    severity: Literal["page", "ticket"]
    summary: str
    description: str


def _burn(family: str, budget: float, factor: float, windows: tuple[str, str]) -> str:
    """Makes a burn-rate query: a long window, so that it matters, and a short one, so that it ends soon."""
    return "\nand\n".join(f"{recorded(family, window)} > {factor:g} * {budget:g}" for window in windows)


_ERROR_BUDGET, _SLOW_BUDGET = 0.001, 0.01  # objectives: 99.9 % answered, 99 % of interactive requests in time

_OBJECTIVES = (
    Alert(
        "NextcharErrorBudgetBurnsFast",
        _burn(BAD, _ERROR_BUDGET, 14.4, ("1h", "5m")),
        "2m",
        "page",
        "{{ $value | humanizePercentage }} of requests fail.",
        "At this rate the error budget of 30 days (0.1 % of requests) is used up in two days.",
    ),
    Alert(
        "NextcharErrorBudgetBurns",
        _burn(BAD, _ERROR_BUDGET, 6, ("6h", "30m")),
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of requests have failed for hours.",
        "At this rate the error budget of 30 days (0.1 % of requests) is used up in five days.",
    ),
    Alert(
        "NextcharLatencyBudgetBurnsFast",
        _burn(SLOW, _SLOW_BUDGET, 14.4, ("1h", "5m")),
        "2m",
        "page",
        f"{{{{ $value | humanizePercentage }}}} of interactive requests take more than {SLOW_SECONDS} s.",
        "The objective allows 1 %. At this rate the latency budget of 30 days is used up in two days.",
    ),
    Alert(
        "NextcharLatencyBudgetBurns",
        _burn(SLOW, _SLOW_BUDGET, 6, ("6h", "30m")),
        "15m",
        "ticket",
        f"{{{{ $value | humanizePercentage }}}} of interactive requests have taken more than {SLOW_SECONDS} s for hours.",
        "The objective allows 1 %. At this rate the latency budget of 30 days is used up in five days.",
    ),
)
_SERVER = (
    Alert(
        "NextcharAbsent",
        f"absent({series('nextchar_model_info')})",
        "5m",
        "page",
        "Prometheus scrapes no nextchar server.",
        "Every server is down, or Prometheus finds none.",
    ),
    Alert(
        "NextcharModelNotReady",
        f"{value('nextchar_model_ready', by=(*_VERSION, 'instance'), how='min')} == 0",
        "1m",
        "page",
        "Model {{ $labels.model }}:{{ $labels.version }} on {{ $labels.instance }} does not answer.",
        "An engine of the model has failed, and the whole server is unready. Its log has the cause.",
    ),
    Alert(
        "NextcharBackgroundTaskFailed",
        f"{value('nextchar_background_task_failures_total', by=(*_JOB, 'instance', 'task'))} > 0",
        "1m",
        "page",
        "Background task {{ $labels.task }} on {{ $labels.instance }} has failed.",
        "The server is unready until it is restarted; its log has the cause.",
    ),
    Alert(
        "NextcharFilesExhausted",
        f"{series('process_open_fds')} / {series('process_max_fds')} > 0.8\n"
        f"and on (job, instance) {series('nextchar_model_info')}",
        "5m",
        "ticket",
        "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of the files it may open.",
        "Every connection is an open file; at the limit new connections are refused.",
    ),
)
_SATURATION = (
    Alert(
        "NextcharRejecting",
        f"{rate('nextchar_requests_total', '5m', by=_JOB, outcome='rejected')}\n"
        f"/ {rate('nextchar_requests_total', '5m', by=_JOB)} > 0.01",
        "5m",
        "page",
        "{{ $value | humanizePercentage }} of requests are refused with 429 or 503.",
        "The queue or a budget is full, the session store is unavailable, or servers drain for long.",
    ),
    Alert(
        "NextcharQueueFilling",
        f"{value('nextchar_queue_depth', by=_MODEL)}\n/ {value('nextchar_queue_limit', by=_MODEL)} > 0.5",
        "5m",
        "page",
        "The queue of {{ $labels.model }} is {{ $value | humanizePercentage }} full.",
        "When the queue is full, requests are refused with 429.",
    ),
    Alert(
        "NextcharQueueSlow",
        f"{quantile(0.99, 'nextchar_queue_duration_seconds', '5m', by=_MODEL)} > 1",
        "10m",
        "ticket",
        "Requests of {{ $labels.model }} wait {{ $value | humanizeDuration }} in the queue (p99).",
        "More requests come than the engines can process.",
    ),
    Alert(
        "NextcharLanesSaturated",
        f"{value('nextchar_lanes_running', by=_MODEL)}\n/ {value('nextchar_lanes_limit', by=_MODEL)} > 0.9",
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of the rows of {{ $labels.model }} are in use.",
        "New completions wait in the queue until running ones end.",
    ),
)
_STORE_CALLS = count_rate("nextchar_state_store_duration_seconds", "5m", by=_JOB)
_SESSIONS = (
    Alert(
        "NextcharSessionStoreFails",
        f"{rate('nextchar_state_store_errors_total', '5m', by=_JOB)}\n/ {_STORE_CALLS} > 0.01",
        "2m",
        "page",
        "{{ $value | humanizePercentage }} of the calls to the session store fail.",
        "Session requests fail with 503 store_unavailable; other requests are answered.",
    ),
    Alert(
        "NextcharSessionStoreSlow",
        f"{quantile(0.99, 'nextchar_state_store_duration_seconds', '5m', by=_JOB, op='~load|replace|create')} > 0.25",
        "10m",
        "ticket",
        "A call to the session store takes {{ $value | humanizeDuration }} (p99).",
        "Every change of a session waits for a read and a write of the store.",
    ),
    Alert(
        "NextcharSessionConflicts",
        f"{rate('nextchar_session_conflicts_total', '10m', by=_JOB)}\n"
        f"/ {count_rate('nextchar_state_store_duration_seconds', '10m', by=_JOB, op='replace')} > 0.05",
        "15m",
        "ticket",
        "{{ $value | humanizePercentage }} of the session changes conflict with another change.",
        "Several clients change one session at once, or a client does not wait for its response.",
    ),
    Alert(
        "NextcharSessionsMissing",
        f"{rate('nextchar_session_lookups_total', '10m', by=_JOB, result='~missing|expired')}\n"
        f"/ {rate('nextchar_session_lookups_total', '10m', by=_JOB)} > 0.2",
        "10m",
        "ticket",
        "{{ $value | humanizePercentage }} of the sessions that clients name are missing or expired.",
        "The store has lost sessions, they expire too early, or replicas do not share a store.",
    ),
)
_DRIFT = (
    Alert(
        "NextcharScoresShifted",
        f"abs({recorded(BITS, '1h')} - {recorded(BITS, '1h')} offset 1d) > 0.5\n"
        f"and {count_rate('nextchar_score_bits_per_char', '1h', by=_MODEL)} > 0.1",
        "30m",
        "ticket",
        "Scores of {{ $labels.model }} have moved by {{ $value | humanize }} bits per character in a day.",
        "The scored text differs from that of yesterday, or the model was replaced.",
    ),
    Alert(
        "NextcharUnknownCharacters",
        f"{recorded(UNKNOWN, '1h')} > 0.05",
        "30m",
        "ticket",
        "{{ $value | humanizePercentage }} of the characters for {{ $labels.model }} are outside its vocabulary.",
        "The model cannot distinguish them; the text may have another script or encoding.",
    ),
    Alert(
        "NextcharVerdictsShifted",
        f"abs({recorded(P_VALUES, '1h')} - 0.5) > 0.15\n"
        f"and {count_rate('nextchar_verdict_p_value', '1h', by=_JUDGE)} > 0.1",
        "30m",
        "ticket",
        "P-values of judge {{ $labels.judge }}:{{ $labels.version }} are not uniform: the share below 0.5 is "
        "off by {{ $value | humanize }}.",
        "The strings differ from the normal ones that the judge was fitted to; it flags too many, or too few.",
    ),
)

ALERTS = {alert.name: alert for alert in (*_OBJECTIVES, *_SERVER, *_SATURATION, *_SESSIONS, *_DRIFT)}
