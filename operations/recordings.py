"""Defines the recording rules of Prometheus: the ratios that alerts and dashboards share."""

from operations.promql import count_rate, mean, quantile, rate

_JOB = ("namespace", "job")
_MODEL = (*_JOB, "model")
_JUDGE = (*_JOB, "judge", "version")
SLOW_SECONDS = 1.0
_INTERACTIVE = "~next|session"  # of completions and scores the duration depends on their length
_WINDOWS = ("5m", "30m", "1h", "6h")

BAD = "nextchar:requests_failed:ratio_rate"
SLOW = "nextchar:interactive_requests_slow:ratio_rate"
BITS = "nextchar:score_bits_per_char:mean_"
UNKNOWN = "nextchar:unknown_chars:ratio_rate"
P_VALUES = "nextchar:verdict_p_value_below_half:ratio_rate"
P99 = "nextchar:request_duration_seconds:p99_rate"


def _failed(window: str) -> str:
    failed = rate("nextchar_requests_total", window, by=_JOB, outcome="~error|timeout")
    counted = rate("nextchar_requests_total", window, by=_JOB, outcome="!~invalid|cancelled")
    return f"({failed} or 0 * {counted})\n/ {counted}"


def _slow(window: str) -> str:
    name = "nextchar_request_duration_seconds"
    quick = count_rate(name, window, by=_JOB, route=_INTERACTIVE, le=str(SLOW_SECONDS))
    return f"1 - {quick}\n/ {count_rate(name, window, by=_JOB, route=_INTERACTIVE)}"


def _unknown(window: str) -> str:
    unknown = rate("nextchar_unknown_chars_total", window, by=_MODEL)
    return f"{unknown}\n/ {rate('nextchar_chars_total', window, by=_MODEL, kind='~scored|fed')}"


def _below_half(window: str) -> str:
    name = "nextchar_verdict_p_value"
    below = count_rate(name, window, by=_JUDGE, le="0.5")
    return f"{below}\n/ {count_rate(name, window, by=_JUDGE)}"


RECORDINGS = {
    **{BAD + window: _failed(window) for window in _WINDOWS},
    **{SLOW + window: _slow(window) for window in _WINDOWS},
    BITS + "1h": mean("nextchar_score_bits_per_char", "1h", by=_MODEL),
    UNKNOWN + "1h": _unknown("1h"),
    P_VALUES + "1h": _below_half("1h"),
    P99 + "5m": quantile(0.99, "nextchar_request_duration_seconds", "5m", by=(*_JOB, "route")),
}


def recorded(family: str, window: str) -> str:
    """Returns the name of a recorded series."""
    assert family + window in RECORDINGS
    return family + window
