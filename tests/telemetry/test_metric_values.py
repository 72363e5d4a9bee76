"""Every metric of the table, after a known set of requests, has the value that is worked out by hand."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server

from nextchar.telemetry.log_writer import OF_PROCESS, LogWriter
from nextchar.telemetry.metric_table import METRICS

NUM_SAMPLED = 40


@dataclass(frozen=True)
class Used:
    """A server after its requests: those of `_requests`, one after the other."""

    server: LiveServer
    bits: float  # per character of its two scores, added up
    elapsed_seconds: float

    def value(self, name: str, **labels: str) -> float:
        return self.server.metric(f"nextchar_{name}", **labels)

    def takes(self, name: str, count: int, **labels: str) -> bool:
        """Whether so many times were taken, which one after the other are no longer than all took."""
        is_right = self.value(f"{name}_count", **labels) == count
        return is_right and 0 <= self.value(f"{name}_sum", **labels) <= self.elapsed_seconds


def _requests(server: LiveServer) -> float:
    """Makes the requests; returns the bits per character of the scores."""
    scores = server.post("/v1/score", {"model": "tiny", "input": ["hello", "a\0"], "context": "ab"}).json()
    assert server.post("/v1/next", {"model": "tiny", "input": "abc"}).is_success
    whole = {"model": "tiny", "prompt": "ab", "max_tokens": NUM_SAMPLED}
    assert server.post("/v1/completions", whole).is_success
    assert server.post("/v1/completions", {**whole, "stream": True}).is_success
    made = {"model": "tiny", "session_id": "one", "prime": "abc"}
    assert server.post("/v1/sessions", made).status_code == 201
    assert server.get("/v1/sessions/one").is_success
    assert server.post("/v1/sessions/one/feed", {"text": "de", "return": "none"}).is_success
    assert server.request("DELETE", "/v1/sessions/one").is_success
    assert server.get("/v1/sessions/one").status_code == 404
    brief = {"model": "tiny", "session_id": "brief", "ttl_seconds": 1e-6}
    assert server.post("/v1/sessions", brief).status_code == 201
    assert server.get("/v1/limits").is_success  # is about the server, and no work
    assert server.get("/v1/sessions/brief").status_code == 410
    tidied = server.app.service.session_maintenance.tidy()
    asyncio.run_coroutine_threadsafe(tidied, server.loop).result(30)
    return sum(-one["logprob"] / math.log(2) / one["num_chars"] for one in scores["data"])


@pytest.fixture(scope="module")
def used(models: Path) -> Iterator[Used]:
    room = {"engine_threads": 1, "max_waiting": 77, "max_lanes": 5, "reserved_lanes": 2}
    with live_server(models, **room) as server:
        started = time.monotonic()
        bits = _requests(server)
        yield Used(server, bits, time.monotonic() - started)


NUM_STEPS = (2 + 5) + 4 + 2 * (2 + NUM_SAMPLED)  # of scores, of the distribution, of two completions
VALUES: dict[str, Callable[[Used], bool]] = {
    "requests_total": lambda u: (
        u.value("requests_total", outcome="success") == 4 + 5 + 1
        and u.value("requests_total", outcome="invalid") == 2
        and u.value("requests_total", route="session") == 7
        and u.value("requests_total") == 12
    ),
    "request_duration_seconds": lambda u: u.takes("request_duration_seconds", 12),
    "queue_duration_seconds": lambda u: (
        u.value("queue_duration_seconds_count", model="tiny") >= 4
        and u.value("queue_duration_seconds_sum") <= u.elapsed_seconds
    ),
    "compute_duration_seconds": lambda u: all(
        u.takes("compute_duration_seconds", int(u.value("batch_size_count")), phase=phase)
        for phase in ("step", "sample")
    ),
    "time_to_first_char_seconds": lambda u: u.takes("time_to_first_char_seconds", 1, model="tiny"),
    "inter_char_seconds": lambda u: (
        1 <= u.value("inter_char_seconds_count") < NUM_SAMPLED
        and u.value("inter_char_seconds_sum") <= u.elapsed_seconds
    ),
    "requests_in_progress": lambda u: u.value("requests_in_progress") == 0,
    "queue_depth": lambda u: u.value("queue_depth") == 0,
    "queue_limit": lambda u: u.value("queue_limit", model="tiny") == 77,
    "lanes_running": lambda u: u.value("lanes_running") == 0,
    "lanes_limit": lambda u: u.value("lanes_limit", model="tiny") == 5 + 2,
    "adaptive_lanes": lambda u: u.value("adaptive_lanes") == 0,  # no text was learned
    "adaptive_table_bytes": lambda u: u.value("adaptive_table_bytes") == 0,
    "adaptive_hot_tables": lambda u: u.value("adaptive_hot_tables") == 0,
    "adaptive_hot_table_bytes": lambda u: u.value("adaptive_hot_table_bytes") == 0,
    "adaptive_tables_total": lambda u: u.value("adaptive_tables_total") == 0,
    "adaptive_table_limit_bytes": lambda u: (
        u.value("adaptive_table_limit_bytes", model="tiny") == u.server.settings.max_adaptive_table_bytes
    ),
    "adaptive_chars_total": lambda u: u.value("adaptive_chars_total") == 0,
    "adaptive_bits_total": lambda u: u.value("adaptive_bits_total") == 0,
    # Two strings run side by side for one step after their context and begin symbol; all else is alone.
    "batch_size": lambda u: (
        u.value("batch_size_count", model="tiny") >= NUM_STEPS
        and u.value("batch_size_sum", model="tiny") == u.value("batch_size_count", model="tiny") + 1
    ),
    "batch_wait_seconds": lambda u: all(
        0 <= u.value("batch_wait_seconds_sum", level=level) < u.elapsed_seconds
        and u.value("batch_wait_seconds_count", level=level) > 0
        for level in ("interactive", "sampling", "bulk")
    ),
    "chars_total": lambda u: (
        [u.value("chars_total", kind=kind) for kind in ("scored", "fed", "sampled")]
        == [5 + 2, 2 + 3 + 2 + 2 + 3 + 2, 2 * NUM_SAMPLED]
    ),
    "unknown_chars_total": lambda u: u.value("unknown_chars_total", model="tiny") == 1,
    "request_size_chars": lambda u: (
        u.value("request_size_chars_sum", route="score") == 2 + 5 + 2
        and u.value("request_size_chars_sum", route="next") == 3
        and u.value("request_size_chars_sum", route="complete") == 2 + 2
        and u.value("request_size_chars_sum", route="session") == 3 + 2
    ),
    "sessions_active": lambda u: u.value("sessions_active") == 0,
    "session_store_clock_skew_seconds": lambda u: abs(u.value("session_store_clock_skew_seconds")) < 1,
    "session_state_bytes": lambda u: (
        u.value("session_state_bytes_count") == 2 + 1  # two sessions, and one change
        and u.value("session_state_bytes_sum") > 0
    ),
    "sessions_created_total": lambda u: u.value("sessions_created_total") == 2,
    "sessions_ended_total": lambda u: (
        u.value("sessions_ended_total", cause="end") == 1
        and u.value("sessions_ended_total", cause="idle") == 1
        and u.value("sessions_ended_total") == 2
    ),
    "session_age_seconds": lambda u: u.takes("session_age_seconds", 1),
    "session_steps": lambda u: u.value("session_steps_count") == 1 and u.value("session_steps_sum") == 3 + 2,
    "session_lookups_total": lambda u: (
        [u.value("session_lookups_total", result=r) for r in ("hit", "missing", "expired", "restored")]
        == [3, 1, 1, 0]
    ),
    "session_conflicts_total": lambda u: u.value("session_conflicts_total") == 0,
    "verdicts_total": lambda u: u.value("verdicts_total") == 0,  # no judge was asked
    "verdict_p_value": lambda u: u.value("verdict_p_value_count") == 0,
    "sessions_replayed_total": lambda u: u.value("sessions_replayed_total") == 0,
    "state_store_duration_seconds": lambda u: all(
        u.takes("state_store_duration_seconds", count, op=op)
        for op, count in {"create": 2, "load": 4, "replace": 1, "delete": 1}.items()
    ),
    "state_store_errors_total": lambda u: u.value("state_store_errors_total") == 0,
    "model_info": lambda u: u.value("model_info", model="tiny", version="1") == 1,
    "model_load_duration_seconds": lambda u: 0 < u.value("model_load_duration_seconds", model="tiny") < 60,
    "model_ready": lambda u: u.value("model_ready") == 4,
    "score_bits_per_char": lambda u: (
        u.value("score_bits_per_char_count") == 2
        and math.isclose(u.value("score_bits_per_char_sum"), u.bits, rel_tol=1e-9)
    ),
    "log_lines_dropped_total": lambda u: u.value("log_lines_dropped_total") == 0,
    "background_task_failures_total": lambda u: u.value("background_task_failures_total") == 0,
}


def test_no_metric_is_left_out() -> None:
    assert {f"nextchar_{name}" for name in VALUES} == set(METRICS)


@pytest.mark.parametrize("name", VALUES)
def test_a_metric_has_its_value(used: Used, name: str) -> None:
    assert VALUES[name](used)


def test_a_log_line_that_is_lost_is_counted(used: Used, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other faults are counted where they are tested: conflicts, replays, errors of stores, failed tasks."""
    monkeypatch.setattr(OF_PROCESS, "count", 0)
    with open("/dev/full", "wb", buffering=0) as full:
        writer = LogWriter(full.fileno())
        writer.handle(logging.LogRecord("a", logging.INFO, "", 0, "text", (), None))
        writer.flush()
        assert used.value("log_lines_dropped_total") == 1
        writer.close()
