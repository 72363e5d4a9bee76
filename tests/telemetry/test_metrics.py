"""Metrics are counted by real requests and read back from the metrics port."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from operations.promql import LABEL_VALUES
from prometheus_client.parser import text_string_to_metric_families
from support.live_server import TLS, LiveServer, live_server

from nextchar.errors import (
    CannotListen,
    GoldenMismatch,
    InternalError,
    ModelFileError,
    NextcharError,
    OutcomeUnknown,
    SettingsInvalid,
)
from nextchar.pb import nextchar_pb2 as pb
from nextchar.telemetry.metric_table import CAUSES, KINDS, LEVELS, METRICS, OUTCOMES, PHASES, RESULTS, Metric
from nextchar.telemetry.metrics import outcome_of


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
    needed = (2 + 5) + 4 + 42 + 42 + 3 + 20
    # By how fast it runs, each of three completions may go past its end, alone by 4 at most.
    assert needed <= steps <= needed + 3 * 4
    assert used.metric("nextchar_batch_size_sum", model="tiny") == steps + 1
    for phase in ("step", "sample"):
        assert used.metric("nextchar_compute_duration_seconds_count", model="tiny", phase=phase) == steps
        assert used.metric("nextchar_compute_duration_seconds_sum", model="tiny", phase=phase) > 0
    # How many pieces a stream comes in depends on how fast it runs: after the first, one at least.
    assert 2 <= used.metric("nextchar_inter_char_seconds_count") <= 39 + 19


def test_both_places_tell_the_same_names_and_only_known_ones(used: LiveServer) -> None:
    texts = [httpx.get(url, verify=TLS).text for url in (used.metrics_url, used.url + "/metrics")]
    families = [set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)) for text in texts]
    assert families[0] == families[1]
    ours = {name for name in families[0] if not name.startswith(("process_", "python_"))}
    assert ours == set(METRICS)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_a_metric_has_the_kind_labels_and_buckets_of_the_table(used: LiveServer, metric: Metric) -> None:
    text = httpx.get(used.metrics_url, verify=TLS).text
    families = {f.name: f for f in text_string_to_metric_families(text)}
    family = families[metric.name.removesuffix("_total")]
    assert (family.type, family.documentation) == (metric.kind, metric.text)
    for sample in family.samples:
        assert set(sample.labels) - {"le"} == set(metric.labels)
    bounds = {float(s.labels["le"]) for s in family.samples if s.name.endswith("_bucket")}
    if bounds:
        assert bounds == {*map(float, metric.buckets), float("inf")}


def test_labels_have_only_values_that_are_known(used: LiveServer) -> None:
    values: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(httpx.get(used.metrics_url, verify=TLS).text):
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
    closed = {"outcome": OUTCOMES, "phase": PHASES, "kind": KINDS, "level": LEVELS, "cause": CAUSES}
    for label, known in {**closed, "result": RESULTS, "protocol": ("rest", "grpc")}.items():
        assert values[label] <= set(known), label
    assert values["model"] == {"", "tiny", "lines", "refusing", "bytes"}


# The table of conventions: a name that clients' dashboards know does not go away.
PROMISED = {
    "requests_total": "model version route protocol outcome",
    "request_duration_seconds": "",
    "queue_duration_seconds": "",
    "compute_duration_seconds": "phase",
    "time_to_first_char_seconds": "",
    "inter_char_seconds": "",
    "requests_in_progress": "",
    "queue_depth": "",
    "batch_size": "",
    "batch_wait_seconds": "",
    "chars_total": "kind",
    "unknown_chars_total": "",
    "request_size_chars": "",
    "sessions_active": "",
    "session_state_bytes": "",
    "sessions_created_total": "",
    "sessions_ended_total": "cause",
    "session_age_seconds": "",
    "session_steps": "",
    "session_lookups_total": "result",
    "state_store_duration_seconds": "op",
    "model_info": "model version cell vocab_size digest kernels",
    "model_load_duration_seconds": "",
    "model_ready": "",
    "score_bits_per_char": "model",
}


def test_every_promised_metric_is_there_with_its_labels() -> None:
    for name, labels in PROMISED.items():
        assert set(labels.split()) <= set(METRICS[f"nextchar_{name}"].labels)
    for metric in METRICS.values():
        if metric.unit == "seconds" and metric.kind == "histogram" and "age" not in metric.name:
            assert metric.buckets[0] == 0.0001, metric.name


def test_each_label_has_a_listed_set_of_values_or_names_what_is_served() -> None:
    names = {"model", "judge", "version", "route", "cell", "precision", "vocab_size", "digest", "kernels"}
    assert {label for metric in METRICS.values() for label in metric.labels} == names | set(LABEL_VALUES)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_help_is_a_sentence_that_says_first_what_the_value_is(metric: Metric) -> None:
    nouns = "Number|Largest number|Time|Size|Age|Bits|Share|Whether|Information"
    assert re.fullmatch(rf"({nouns}) [^.]{{12,}}\.", metric.text)


def test_levels_that_ran_have_waited_for_their_calls(used: LiveServer) -> None:
    for level in ("interactive", "sampling", "bulk"):
        assert used.metric("nextchar_batch_wait_seconds_count", model="tiny", level=level) > 0
    assert used.metric("nextchar_lanes_running") == 0
    assert used.metric("nextchar_lanes_limit", model="tiny") >= 144


def test_process_metrics_are_there(used: LiveServer) -> None:
    assert used.metric("process_resident_memory_bytes") > 10_000_000
    assert used.metric("process_cpu_seconds_total") > 0


def _kinds(base: type[NextcharError]) -> set[type[NextcharError]]:
    return {base}.union(*map(_kinds, base.__subclasses__()))


def test_only_our_own_faults_are_errors() -> None:
    """A kind of error that is added is the caller's, a refusal or late, unless it is named here."""
    found = {kind for kind in _kinds(NextcharError) if outcome_of(kind.__new__(kind)) == "error"}
    at_start = {SettingsInvalid, CannotListen, ModelFileError, GoldenMismatch}
    known = {NextcharError, InternalError, OutcomeUnknown, *at_start}
    assert {kind for kind in found if kind.__module__ == "nextchar.errors"} == known
