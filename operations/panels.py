"""Defines the panels of the dashboard, in rows; every metric of the table is in one of them."""

from operations.engine_panels import ENGINES
from operations.panel import Panel, mean, one_query, quantile, quantiles, rate, value

_REQUESTS: list[Panel] = [
    one_query(
        "Requests by outcome",
        "reqps",
        "Requests per second, by outcome.",
        "{{outcome}}",
        rate("nextchar_requests_total", "outcome"),
    ),
    one_query(
        "Requests by route",
        "reqps",
        "Requests per second, by route.",
        "{{route}}",
        rate("nextchar_requests_total", "route"),
    ),
    one_query(
        "Requests without a response",
        "percentunit",
        "Share of requests that were refused, late, failed or left by their clients.",
        "{{outcome}}",
        f"{rate('nextchar_requests_total', 'outcome', outcome='!~success|invalid')}"
        f" / on () group_left {rate('nextchar_requests_total')}",
    ),
    Panel(
        "Request duration",
        "s",
        "Time from the arrival of a request to the last byte of its response, by route.",
        quantiles("nextchar_request_duration_seconds", "route"),
    ),
    one_query(
        "Requests in progress",
        "short",
        "Number of requests that are being answered, by route.",
        "{{route}}",
        value("nextchar_requests_in_progress", "route"),
    ),
    Panel(
        "Request size",
        "short",
        "Number of characters of a request, by route.",
        quantiles("nextchar_request_size_chars", "route"),
    ),
    Panel(
        "Time to first character",
        "s",
        "Time from the arrival of a request to the first character of a streamed completion.",
        quantiles("nextchar_time_to_first_char_seconds", "model"),
    ),
    Panel(
        "Time per character",
        "s",
        "Time per character between two pieces of a streamed completion.",
        quantiles("nextchar_inter_char_seconds", "model"),
    ),
]
_SESSIONS: list[Panel] = [
    one_query(
        "Sessions",
        "short",
        "Number of unexpired sessions in the store.",
        "sessions",
        value("nextchar_sessions_active", how="max"),
    ),
    one_query(
        "Sessions created",
        "cps",
        "Sessions created per second.",
        "created",
        rate("nextchar_sessions_created_total"),
    ),
    one_query(
        "Sessions ended",
        "cps",
        "Sessions ended per second, by cause.",
        "{{cause}}",
        rate("nextchar_sessions_ended_total", "cause"),
    ),
    one_query(
        "Session lookups",
        "cps",
        "Session lookups per second, by result; a restored session comes from another server.",
        "{{result}}",
        rate("nextchar_session_lookups_total", "result"),
    ),
    Panel(
        "Store time",
        "s",
        "Time of a call to the session store, by operation.",
        quantiles("nextchar_state_store_duration_seconds", "op"),
    ),
    one_query(
        "Store errors",
        "cps",
        "Failed calls to the session store per second, by operation.",
        "{{op}}",
        rate("nextchar_state_store_errors_total", "op"),
    ),
    one_query(
        "Clock skew",
        "s",
        "Time by which a server's clock is ahead of the session store's, by which sessions expire.",
        "{{instance}}",
        value("nextchar_session_store_clock_skew_seconds", "instance", how="max"),
    ),
    one_query(
        "Session conflicts",
        "cps",
        "Session changes per second that were refused because another change came first.",
        "conflicts",
        rate("nextchar_session_conflicts_total"),
    ),
    one_query(
        "Sessions replayed",
        "cps",
        "Sessions per second that were rebuilt in another version of their model.",
        "replayed",
        rate("nextchar_sessions_replayed_total"),
    ),
    Panel(
        "Session size",
        "bytes",
        "Size of a session as it is written to the store.",
        quantiles("nextchar_session_state_bytes"),
    ),
    Panel(
        "Session age",
        "s",
        "Age of a session when its owner ends it.",
        quantiles("nextchar_session_age_seconds"),
    ),
    Panel(
        "Session length",
        "short",
        "Number of characters of a session when its owner ends it.",
        quantiles("nextchar_session_steps"),
    ),
]
_JUDGES: list[Panel] = [
    one_query(
        "Verdicts",
        "cps",
        "Strings judged per second, by judge and verdict.",
        "{{judge}} {{verdict}}",
        rate("nextchar_verdicts_total", "judge", "verdict"),
    ),
    one_query(
        "P-values",
        "percentunit",
        "Median p-value of judged strings: 0.5 while they are as those that the judge was fitted to.",
        "{{judge}}",
        quantile(0.5, "nextchar_verdict_p_value", "judge"),
    ),
]
_MODELS: list[Panel] = [
    one_query(
        "Models ready",
        "short",
        "Number of servers on which a model version answers.",
        "{{model}}:{{version}}",
        value("nextchar_model_ready", "model", "version"),
    ),
    one_query(
        "Models served",
        "short",
        "Number of servers that serve a model file.",
        "{{model}}:{{version}} {{precision}} {{digest}}",
        value("nextchar_model_info", "model", "version", "precision", "digest", how="count"),
    ),
    one_query(
        "Model load time",
        "s",
        "Longest time that loading and checking a model took.",
        "{{model}}",
        value("nextchar_model_load_duration_seconds", "model", how="max"),
    ),
    Panel(
        "Bits per character",
        "short",
        "Bits per character of scored strings.",
        quantiles("nextchar_score_bits_per_char", "model"),
    ),
    one_query(
        "Mean bits per character",
        "short",
        "Mean bits per character of scored strings.",
        "{{model}}",
        mean("nextchar_score_bits_per_char", "model"),
    ),
    one_query(
        "Characters read adaptively",
        "cps",
        "Characters that adaptive lanes read per second.",
        "{{model}}",
        rate("nextchar_adaptive_chars_total", "model"),
    ),
    one_query(
        "Bits saved per character",
        "short",
        "Bits per character that learning a text saves, beside the model alone.",
        "{{model}}",
        f"({rate('nextchar_adaptive_bits_total', 'model', predictor='model')}"
        f" - {rate('nextchar_adaptive_bits_total', 'model', predictor='mixture')})"
        f" / {rate('nextchar_adaptive_chars_total', 'model')}",
    ),
    one_query(
        "Unknown characters",
        "percentunit",
        "Share of the characters of requests that are outside the vocabulary.",
        "{{model}}",
        f"{rate('nextchar_unknown_chars_total', 'model')} / {rate('nextchar_chars_total', 'model', kind='~scored|fed')}",
    ),
]
_PROCESS: list[Panel] = [
    one_query(
        "Memory",
        "bytes",
        "Resident memory of a server.",
        "{{instance}}",
        value("process_resident_memory_bytes", "instance"),
    ),
    one_query(
        "CPU",
        "short",
        "Number of processor cores that a server uses.",
        "{{instance}}",
        rate("process_cpu_seconds_total", "instance"),
    ),
    Panel(
        "Open files",
        "short",
        "Number of open files, and the largest number that may be open.",
        {
            "{{instance}}": value("process_open_fds", "instance"),
            "limit {{instance}}": value("process_max_fds", "instance"),
        },
    ),
    one_query(
        "Failed background tasks",
        "short",
        "Number of background tasks that have failed; the server is unready after one.",
        "{{task}} {{instance}}",
        value("nextchar_background_task_failures_total", "task", "instance"),
    ),
    one_query(
        "Dropped log lines",
        "short",
        "Log lines per second that were dropped, because nothing reads them or they cannot be written.",
        "{{instance}}",
        rate("nextchar_log_lines_dropped_total", "instance"),
    ),
]

ROWS: dict[str, list[Panel]] = {
    "Requests": _REQUESTS,
    "Engines": ENGINES,
    "Sessions": _SESSIONS,
    "Models and drift": _MODELS,
    "Judges": _JUDGES,
    "Process": _PROCESS,
}
