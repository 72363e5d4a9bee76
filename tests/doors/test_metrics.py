"""Metrics are counted by real requests and read back from the metrics port."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live_server import LiveServer, live_server

from nextchar.pb import nextchar_pb2 as pb

# Every metric there is, without its prefix.
NAMES = {
    "requests_total",
    "request_duration_seconds",
    "requests_in_progress",
    "queue_duration_seconds",
    "queue_depth",
    "compute_duration_seconds",
    "time_to_first_char_seconds",
    "inter_char_seconds",
    "batch_size",
    "chars_total",
    "unknown_chars_total",
    "request_size_chars",
    "model_info",
    "model_ready",
    "model_load_duration_seconds",
    "score_bits_per_char",
    "sessions_active",
    "sessions_created_total",
    "sessions_ended_total",
    "session_lookups_total",
    "session_conflicts_total",
    "session_state_bytes",
    "session_age_seconds",
    "state_store_duration_seconds",
}


@pytest.fixture(scope="module")
def used(models: Path) -> Iterator[LiveServer]:
    """A server of its own after a known set of requests."""
    with live_server(models) as server:
        assert server.post(
            "/v1/score", {"model": "tiny", "input": ["hello", "a\0"], "context": "ab"}
        ).is_success
        assert server.post("/v1/next", {"model": "tiny", "input": "abc"}).is_success
        whole = {"model": "tiny", "prompt": "ab", "max_tokens": 40}
        assert server.post("/v1/completions", whole).is_success
        assert server.post("/v1/completions", {**whole, "stream": True}).is_success
        assert server.post("/v1/completions", {"model": "none"}).status_code == 404
        assert server.post("/v1/score", {"model": "tiny"}).status_code == 400
        with server.stub() as stub:
            stub.Score(pb.ScoreRequest(model="tiny", input=["abc"]))
            list(stub.Complete(pb.CompletionRequest(model="tiny", max_tokens=20)))
        yield server


@pytest.mark.parametrize(
    ("labels", "count"),
    [
        ({"route": "score", "protocol": "rest", "outcome": "success", "model": "tiny", "version": "1"}, 1),
        ({"route": "next", "protocol": "rest", "outcome": "success", "model": "tiny"}, 1),
        ({"route": "complete", "protocol": "rest", "outcome": "success", "model": "tiny"}, 2),
        ({"route": "score", "protocol": "grpc", "outcome": "success", "model": "tiny"}, 1),
        ({"route": "complete", "protocol": "grpc", "outcome": "success", "model": "tiny"}, 1),
        ({"outcome": "invalid", "model": ""}, 2),
        ({}, 8),
    ],
)
def test_requests_are_counted_by_outcome(used: LiveServer, labels: dict[str, str], count: int) -> None:
    assert used.metric("nextchar_requests_total", **labels) == count
    labels.pop("outcome", None)
    if labels.get("model"):
        assert used.metric("nextchar_request_duration_seconds_count", **labels) == count


@pytest.mark.parametrize(("kind", "count"), [("scored", 5 + 2 + 3), ("fed", 2 + 3 + 2 + 2), ("sampled", 100)])
def test_characters_are_counted_by_kind(used: LiveServer, kind: str, count: int) -> None:
    assert used.metric("nextchar_chars_total", kind=kind, model="tiny") == count


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nextchar_unknown_chars_total", 1),
        ("nextchar_requests_in_progress", 0),
        ("nextchar_queue_depth", 0),
        ("nextchar_queue_duration_seconds_count", 6),
        ("nextchar_time_to_first_char_seconds_count", 2),
        ("nextchar_score_bits_per_char_count", 3),
        ("nextchar_request_size_chars_sum", (5 + 2 + 2) + 3 + 2 + 2 + 3 + 0),
        ("nextchar_model_ready", 4),
        ("nextchar_model_info", 4),
    ],
)
def test_other_counts(used: LiveServer, name: str, value: float) -> None:
    assert used.metric(name) == value


def test_steps_are_counted_and_timed(used: LiveServer) -> None:
    steps = used.metric("nextchar_batch_size_count", model="tiny")
    # Two strings share their context, then run side by side, 5 beside 2; then alone 4, 42, 42, 3 and 20.
    assert steps == (2 + 5) + 4 + 42 + 42 + 3 + 20
    assert used.metric("nextchar_batch_size_sum", model="tiny") == steps + 1
    for phase in ("step", "sample"):
        assert used.metric("nextchar_compute_duration_seconds_count", model="tiny", phase=phase) == steps
        assert used.metric("nextchar_compute_duration_seconds_sum", model="tiny", phase=phase) > 0
    # How many pieces a stream comes in depends on how fast it runs: after the first, one at least.
    assert 2 <= used.metric("nextchar_inter_char_seconds_count") <= 39 + 19


def test_both_places_tell_the_same_names_and_only_known_ones(used: LiveServer) -> None:
    texts = [httpx.get(url).text for url in (used.metrics_url, used.url + "/metrics")]
    families = [set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)) for text in texts]
    assert families[0] == families[1]
    ours = {name for name in families[0] if not name.startswith(("process_", "python_"))}
    assert ours == {f"nextchar_{name}" for name in NAMES}


def test_buckets_begin_at_a_tenth_of_a_millisecond(used: LiveServer) -> None:
    assert 'nextchar_request_duration_seconds_bucket{le="0.0001"' in httpx.get(used.metrics_url).text
