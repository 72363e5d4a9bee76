"""Every metric there is, once: the registry, docs/metrics.md, the dashboard and the tests come from here.

A metric's labels have few values, all known here or at the start of the server; none is a session, an owner,
a key or a text.
"""

from dataclasses import dataclass
from typing import Literal

from nextchar.telemetry.engine_stats import BATCH_BUCKETS, DURATION_BUCKETS

Kind = Literal["counter", "gauge", "histogram"]
_CHARS_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)
_BITS_BUCKETS = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 10, 12, 16)
_STATE_BUCKETS = tuple(256 * 4.0**k for k in range(10))
_AGE_BUCKETS = (1, 10, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
_MODEL = ("model", "version")
_REQUEST = (*_MODEL, "route", "protocol")

# The values of labels that are words of ours.
OUTCOMES = ("success", "invalid", "rejected", "cancelled", "timeout", "error")
CAUSES = ("end", "idle", "evicted", "drain", "version", "error")
RESULTS = ("hit", "restored", "missing", "expired")
PHASES = ("step", "sample")
LEVELS = ("interactive", "sampling", "bulk")
OPS = (
    *("create", "load", "replace", "touch", "delete", "page"),
    *("count", "count_of", "kept", "next_expiry", "was_evicted", "purge"),
)
KINDS = ("scored", "fed", "sampled")
TASKS = (
    *("http_server", "grpc_health", "model_watcher", "model_unloader"),
    *("session_maintenance", "key_file", "schema_builder"),
)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as it is exposed. A histogram has upper bounds; `+Inf` goes without saying."""

    name: str
    kind: Kind
    unit: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _seconds(name: str, text: str, labels: tuple[str, ...] = ()) -> Metric:
    return Metric(name, "histogram", "seconds", text, labels, DURATION_BUCKETS)


_REQUESTS = (
    Metric("nextchar_requests_total", "counter", "requests", "Requests by outcome.", (*_REQUEST, "outcome")),
    _seconds("nextchar_request_duration_seconds", "From arrival to the last byte.", _REQUEST),
    _seconds("nextchar_queue_duration_seconds", "From submission to a row of the batch.", _MODEL),
    _seconds(
        "nextchar_compute_duration_seconds",
        "Of a step, by phase: step in the graph, sample around it.",
        (*_MODEL, "phase"),
    ),
    _seconds(
        "nextchar_time_to_first_char_seconds",
        "From arrival to the first character of a streamed completion.",
        _MODEL,
    ),
    _seconds("nextchar_inter_char_seconds", "For a character, between the deliveries of a stream.", _MODEL),
    Metric(
        "nextchar_requests_in_progress", "gauge", "requests", "Being answered now.", ("route", "protocol")
    ),
    Metric("nextchar_queue_depth", "gauge", "strings", "That wait for a row.", _MODEL),
    Metric("nextchar_queue_limit", "gauge", "strings", "That may wait for a row.", _MODEL),
    Metric("nextchar_lanes_running", "gauge", "rows", "That are in use by lanes, and jobs in work.", _MODEL),
    Metric("nextchar_lanes_limit", "gauge", "rows", "There are for lanes.", _MODEL),
    Metric("nextchar_batch_size", "histogram", "rows", "Advanced by a step.", _MODEL, BATCH_BUCKETS),
    _seconds(
        "nextchar_batch_wait_seconds",
        "That rows of a level waited for their next call of the graph.",
        (*_MODEL, "level"),
    ),
    Metric("nextchar_chars_total", "counter", "characters", "Through the model, by kind.", (*_MODEL, "kind")),
    Metric("nextchar_unknown_chars_total", "counter", "characters", "Outside the vocabulary.", _MODEL),
    Metric(
        "nextchar_request_size_chars",
        "histogram",
        "characters",
        "Given by a request.",
        _REQUEST,
        _CHARS_BUCKETS,
    ),
)
_SESSIONS = (
    Metric("nextchar_sessions_active", "gauge", "sessions", "Live in the store, of all servers over it."),
    Metric(
        "nextchar_session_state_bytes",
        "histogram",
        "bytes",
        "Of a session as it is written.",
        buckets=_STATE_BUCKETS,
    ),
    Metric("nextchar_sessions_created_total", "counter", "sessions", "Made, forks too."),
    Metric("nextchar_sessions_ended_total", "counter", "sessions", "Ended, by cause.", ("cause",)),
    Metric(
        "nextchar_session_age_seconds",
        "histogram",
        "seconds",
        "Of a session that is ended by its owner.",
        buckets=_AGE_BUCKETS,
    ),
    Metric(
        "nextchar_session_steps",
        "histogram",
        "characters",
        "Read and drawn in a session that is ended by its owner.",
        buckets=_CHARS_BUCKETS,
    ),
    Metric(
        "nextchar_session_lookups_total",
        "counter",
        "lookups",
        "By result; restored: this server had not seen the session lately.",
        ("result",),
    ),
    Metric("nextchar_session_conflicts_total", "counter", "changes", "That came after another server's."),
    Metric(
        "nextchar_sessions_replayed_total", "counter", "sessions", "Read into another version of their model."
    ),
    _seconds("nextchar_state_store_duration_seconds", "Of a call of the store, by operation.", ("op",)),
    Metric(
        "nextchar_state_store_errors_total",
        "counter",
        "calls",
        "Of the store that failed, by operation.",
        ("op",),
    ),
)
_MODELS = (
    Metric(
        "nextchar_model_info",
        "gauge",
        "1",
        "A served model.",
        (*_MODEL, "cell", "precision", "vocab_size", "digest"),
    ),
    Metric("nextchar_model_load_duration_seconds", "gauge", "seconds", "To load and check a model.", _MODEL),
    Metric("nextchar_model_ready", "gauge", "1", "1 if the model answers, else 0.", _MODEL),
    Metric(
        "nextchar_score_bits_per_char",
        "histogram",
        "bits",
        "A character of a scored string, to see drift.",
        ("model",),
        _BITS_BUCKETS,
    ),
)

_SERVER = (
    Metric(
        "nextchar_background_task_failures_total",
        "counter",
        "failures",
        "Number of failures of background tasks of the server, by task; a failure makes the server unready.",
        ("task",),
    ),
)

METRICS = {metric.name: metric for metric in (*_REQUESTS, *_SESSIONS, *_MODELS, *_SERVER)}
