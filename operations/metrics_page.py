"""Writes docs/metrics.md from the table of metrics."""

from nextchar.telemetry.metric_table import METRICS, Metric
from operations.promql import LABEL_VALUES

_HEAD = """# Metrics

Made by `make docs` from `server/nextchar/telemetry/metric_table.py`; do not edit it here.

Prometheus scrapes `http://<host>:8002/metrics` (`--metrics-port`), which needs no API key, or `/metrics` of the
REST port. Times are in seconds, with buckets from 100 µs; counters end in `_total`. No label holds a session, an
owner, a key or a text, so the number of series is bounded by models and routes. The engines of one model
(`--engine-threads`) are one series, their sum. prometheus_client adds `process_…` and `python_…` metrics: memory,
CPU seconds, open files.

"""
_OUTCOMES = """
`outcome` is `invalid` for an error of the client (400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 431), `rejected`
for a refusal (429: the queue or a budget; 503: too many connections, draining, not ready, the session store), `cancelled`
for a client that left (no status; 499 in metrics only), `timeout` for a timeout (408, 504) and `error` for a fault of the
server (500). `route` is `score`, `next`, `complete`, `session` or the name of another call, never a path; `info` is what the
server says of itself and its models, `other` what is no route or method, or was refused before its path was known.

`nextchar_requests_total` and `nextchar_requests_in_progress` together are what clients have sent, to the call, whatever
refused it. Each message of a stream is one request; a stream that is refused before its first is one too. Not counted are
health probes and the page's files, which need no key, the questions that browsers ask before a call of another origin,
and what gRPC itself ends on a connection before it hands a call over.

## Useful queries

* Requests per second: `sum(rate(nextchar_requests_total[5m]))`; of these the failures of the server have
  `outcome=~"error|timeout"`.
* A quantile: `histogram_quantile(0.99, sum by (le) (rate(nextchar_request_duration_seconds_bucket[5m])))`.
* `nextchar_sessions_active` counts the sessions in the store: over replicas that share it use `max`, not `sum`.
* Bits per character that adaptive texts save: the increase of `nextchar_adaptive_bits_total` for `predictor="model"`
  less that for `predictor="mixture"`, ÷ that of `nextchar_adaptive_chars_total`. Drawn characters are not counted.
* Drift: the mean of `nextchar_score_bits_per_char` (`_sum` ÷ `_count`) compared with that of the day before, and
  `nextchar_unknown_chars_total` ÷ `nextchar_chars_total`. The alerts are in [operations](operations.md#alerts).
"""


def page() -> str:
    """Returns the text of the page."""
    head = "| metric | kind | unit | description | labels |\n|---|---|---|---|---|\n"
    rows = "".join(map(_row, METRICS.values()))
    values = "".join(
        f"| `{label}` | {', '.join(f'`{v}`' for v in known)} |\n" for label, known in LABEL_VALUES.items()
    )
    buckets: dict[tuple[float, ...], list[str]] = {}
    for metric in METRICS.values():
        if metric.buckets:
            buckets.setdefault(metric.buckets, []).append(f"`{metric.name}`")
    bounds = "".join(
        f"| {', '.join(names)} | {', '.join(f'{bound:g}' for bound in found)} |\n"
        for found, names in buckets.items()
    )
    return (
        f"{_HEAD}{head}{rows}\n| label | values |\n|---|---|\n{values}{_OUTCOMES}"
        f"\n## Buckets\n\n| histograms | upper bounds |\n|---|---|\n{bounds}"
    )


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {metric.text} | {labels} |\n"
