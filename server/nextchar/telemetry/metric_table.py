"""Defines every metric; the registry, docs/metrics.md, the dashboard and the tests are made from this table.

A label has few values, all known here or at the start of the server; none is a session, an owner, a key or
a text.
"""

from dataclasses import dataclass
from typing import Literal

from nextchar.telemetry.engine_stats import BATCH_BUCKETS, DURATION_BUCKETS

Kind = Literal["counter", "gauge", "histogram"]
_CHARS_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
_BITS_BUCKETS = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16)
_STATE_BUCKETS = tuple(256 * 4.0**k for k in range(10))
_AGE_BUCKETS = (1, 10, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
_SHARE_BUCKETS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MODEL = ("model", "version")
_JUDGE = ("judge", "version")
_REQUEST = (*_MODEL, "route", "protocol")

# The values of the labels that are a closed set.
OUTCOMES = ("success", "invalid", "rejected", "cancelled", "timeout", "error")
CAUSES = ("end", "idle", "evicted", "drain", "version", "error")
RESULTS = ("hit", "restored", "missing", "expired")
PHASES = ("step", "sample")
LEVELS = ("interactive", "sampling", "bulk")
OPS = (
    *("create", "load", "replace", "touch", "delete", "page"),
    *("count", "count_of", "kept", "next_expiry", "was_evicted", "tidy", "time", "check_key"),
)
VERDICTS = ("normal", "flagged")
KINDS = ("scored", "fed", "sampled")
PREDICTORS = ("model", "mixture")
ORIGINS = ("hot", "built")
TASKS = (
    *("http_server", "grpc_health", "model_watcher", "judge_watcher", "model_unloader", "memory"),
    *("session_maintenance", "key_file", "certificate", "state_key", "store_key", "schema_builder"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `text` is its HELP. `buckets` are the upper bounds of a histogram, without `+Inf`."""

    name: str
    kind: Kind
    unit: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _seconds(name: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name, "histogram", "seconds", text, labels, DURATION_BUCKETS)


def _counter(name: str, unit: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name, "counter", unit, text, labels)


def _of_models(name: str, unit: str, text: str) -> Metric:
    return Metric(name, "gauge", unit, text, _MODEL)


_REQUESTS = (
    _counter(
        "nextchar_requests_total",
        "requests",
        "Number of requests that have ended, by outcome.",
        (*_REQUEST, "outcome"),
    ),
    _seconds(
        "nextchar_request_duration_seconds",
        "Time from the arrival of a request to the last byte of its response.",
        _REQUEST,
    ),
    _seconds(
        "nextchar_queue_duration_seconds", "Time that a request waited in the queue for its rows.", _MODEL
    ),
    _seconds(
        "nextchar_compute_duration_seconds",
        "Time of a step of the engine, by phase: step is in the graph, sample is around it.",
        (*_MODEL, "phase"),
    ),
    _seconds(
        "nextchar_time_to_first_char_seconds",
        "Time from the arrival of a request to the first character of a streamed completion.",
        _MODEL,
    ),
    _seconds(
        "nextchar_inter_char_seconds",
        "Time per character between two pieces of a streamed completion.",
        _MODEL,
    ),
    Metric(
        "nextchar_requests_in_progress",
        "gauge",
        "requests",
        "Number of requests that are being answered.",
        ("route", "protocol"),
    ),
    _of_models("nextchar_queue_depth", "strings", "Number of strings waiting for a row."),
    _of_models("nextchar_queue_limit", "strings", "Largest number of strings that may wait for a row."),
    _of_models("nextchar_lanes_running", "rows", "Number of rows in use by lanes and bulk jobs."),
    _of_models("nextchar_lanes_limit", "rows", "Number of rows that lanes can use."),
    _of_models("nextchar_adaptive_lanes", "rows", "Number of rows in use by adaptive lanes."),
    _of_models(
        "nextchar_adaptive_table_bytes",
        "bytes",
        "Size of the tables in which adaptive lanes count what they read.",
    ),
    _of_models(
        "nextchar_adaptive_table_limit_bytes",
        "bytes",
        "Size that the tables of adaptive lanes may have together.",
    ),
    _of_models(
        "nextchar_adaptive_hot_tables", "tables", "Number of tables kept of adaptive lanes that have ended."
    ),
    _of_models(
        "nextchar_adaptive_hot_table_bytes",
        "bytes",
        "Size of the tables kept of adaptive lanes that have ended.",
    ),
    _counter(
        "nextchar_adaptive_tables_total",
        "tables",
        "Number of tables with which adaptive lanes went on, by origin: kept, or built anew.",
        (*_MODEL, "origin"),
    ),
    Metric(
        "nextchar_batch_size",
        "histogram",
        "rows",
        "Number of rows that a step of the engine advanced.",
        _MODEL,
        BATCH_BUCKETS,
    ),
    _seconds(
        "nextchar_batch_wait_seconds",
        "Time that rows waited for their next call of the graph, by level.",
        (*_MODEL, "level"),
    ),
    _counter(
        "nextchar_chars_total",
        "characters",
        "Number of characters processed by the model, by kind.",
        (*_MODEL, "kind"),
    ),
    _counter(
        "nextchar_adaptive_chars_total", "characters", "Number of characters read by adaptive lanes.", _MODEL
    ),
    _counter(
        "nextchar_adaptive_bits_total",
        "bits",
        "Bits of the characters read by adaptive lanes, by predictor: the model alone, or the mixture.",
        (*_MODEL, "predictor"),
    ),
    _counter(
        "nextchar_unknown_chars_total",
        "characters",
        "Number of characters outside the vocabulary of the model.",
        _MODEL,
    ),
    Metric(
        "nextchar_request_size_chars",
        "histogram",
        "characters",
        "Number of characters of a request.",
        _REQUEST,
        _CHARS_BUCKETS,
    ),
)
_SESSIONS = (
    Metric(
        "nextchar_sessions_active",
        "gauge",
        "sessions",
        "Number of unexpired sessions in the store, which servers may share.",
    ),
    Metric(
        "nextchar_session_store_clock_skew_seconds",
        "gauge",
        "seconds",
        "Time by which this machine's clock is ahead of the session store's, by which sessions expire.",
    ),
    Metric(
        "nextchar_session_state_bytes",
        "histogram",
        "bytes",
        "Size of a session as it is written to the store.",
        buckets=_STATE_BUCKETS,
    ),
    _counter("nextchar_sessions_created_total", "sessions", "Number of sessions created, forks included."),
    _counter(
        "nextchar_sessions_ended_total",
        "sessions",
        "Number of sessions that have ended, by cause.",
        ("cause",),
    ),
    Metric(
        "nextchar_session_age_seconds",
        "histogram",
        "seconds",
        "Age of a session when its owner ended it.",
        buckets=_AGE_BUCKETS,
    ),
    Metric(
        "nextchar_session_steps",
        "histogram",
        "characters",
        "Number of characters read and sampled in a session when its owner ended it.",
        buckets=_CHARS_BUCKETS,
    ),
    _counter(
        "nextchar_session_lookups_total",
        "lookups",
        "Number of requests that looked up a session, by result; restored is one not seen here lately.",
        ("result",),
    ),
    _counter(
        "nextchar_session_conflicts_total",
        "changes",
        "Number of session changes refused because another change came first.",
    ),
    _counter(
        "nextchar_sessions_replayed_total",
        "sessions",
        "Number of sessions rebuilt in another version of their model.",
    ),
    _seconds(
        "nextchar_state_store_duration_seconds", "Time of a call to the session store, by operation.", ("op",)
    ),
    _counter(
        "nextchar_state_store_errors_total",
        "calls",
        "Number of calls to the session store that failed, by operation.",
        ("op",),
    ),
)
_MODELS = (
    Metric(
        "nextchar_model_info",
        "gauge",
        "1",
        "Information on a served model in its labels, the compiled cells it runs with among them; the value "
        "is 1.",
        (*_MODEL, "cell", "precision", "vocab_size", "digest", "kernels"),
    ),
    _of_models(
        "nextchar_model_load_duration_seconds", "seconds", "Time that loading and checking the model took."
    ),
    _of_models("nextchar_model_ready", "1", "Whether the model answers: 1 if it does, else 0."),
    Metric(
        "nextchar_score_bits_per_char",
        "histogram",
        "bits",
        "Bits per character of a scored string, which shows drift.",
        ("model",),
        _BITS_BUCKETS,
    ),
)
_JUDGES = (
    _counter(
        "nextchar_verdicts_total", "strings", "Number of strings judged, by verdict.", (*_JUDGE, "verdict")
    ),
    Metric(
        "nextchar_verdict_p_value",
        "histogram",
        "1",
        "Share of normal strings that are as suspicious as a judged one (its p-value), which shows drift.",
        _JUDGE,
        _SHARE_BUCKETS,
    ),
)

_SERVER = (
    _counter(
        "nextchar_log_lines_dropped_total",
        "lines",
        "Number of log lines dropped because standard error was not read, or could not be written.",
    ),
    _counter(
        "nextchar_background_task_failures_total",
        "failures",
        "Number of background tasks that have failed, by task; the server is unready after one.",
        ("task",),
    ),
)

METRICS = {metric.name: metric for metric in (*_REQUESTS, *_SESSIONS, *_MODELS, *_JUDGES, *_SERVER)}
