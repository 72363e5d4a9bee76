"""One line for every request, with what happened and never with its text."""

import json
import logging
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from grpc._cython import cygrpc
from support.live_server import TLS, LiveServer, live_server
from support.server_process import server_process

from nextchar.pb import nextchar_pb2 as pb
from nextchar.telemetry.logs import JsonFormatter, configure_logs

SECRET = "abcdefghijkl"
FACTS = {
    *("time", "level", "logger", "message", "request_id", "route", "protocol", "model", "version", "outcome"),
    *("seconds", "queue_seconds", "inference_seconds", "num_given", "num_sampled", "owner"),
}


class Lines(logging.Handler):
    """What the server would write, one JSON object a line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def calls(self) -> list[dict[str, object]]:
        return [
            line for line in map(json.loads, self.texts) if line["logger"] == "nextchar.telemetry.access_log"
        ]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger("nextchar")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def server(models: Path, lines: Lines) -> Iterator[LiveServer]:  # noqa: ARG001 - before its first request
    with live_server(models) as running:
        yield running


def test_every_request_is_one_line_with_its_facts_and_without_its_text(
    server: LiveServer, lines: Lines
) -> None:
    body = {"model": "tiny", "prompt": SECRET, "max_tokens": 5}
    answer = httpx.post(
        server.url + "/v1/completions", json=body, headers={"X-Request-Id": "mine"}, verify=TLS
    )
    server.post("/v1/completions", body | {"stream": True})
    server.post("/v1/score", {"model": "tiny", "input": [SECRET, "b"]})
    server.post("/v1/score", {"model": SECRET, "input": [SECRET]})
    session = server.post("/v1/sessions", {"model": "tiny", "prime": SECRET}).json()["session_id"]
    server.post(f"/v1/sessions/{session}/feed", {"text": SECRET})
    with server.stub() as stub:
        stub.Score(pb.ScoreRequest(model="tiny", input=[SECRET]))
    calls = lines.calls()
    assert [(line["route"], line["protocol"], line["outcome"]) for line in calls] == [
        ("complete", "rest", "success"),
        ("complete", "rest", "success"),
        ("score", "rest", "success"),
        ("score", "rest", "invalid"),
        ("session", "rest", "success"),
        ("session", "rest", "success"),
        ("score", "grpc", "success"),
    ]
    first, wrong = calls[0], calls[3]
    assert set(first) == FACTS
    assert (first["request_id"], first["model"], first["version"]) == ("mine", "tiny", "1")
    assert (first["num_given"], first["num_sampled"], first["owner"]) == (len(SECRET), 5, None)
    assert 0 < float(str(first["inference_seconds"])) <= float(str(first["seconds"]))
    assert (wrong["code"], wrong["model"]) == ("model_not_found", None)
    assert answer.json()["choices"][0]["text"] not in "".join(lines.texts)
    assert SECRET not in "".join(lines.texts)


def test_the_log_of_requests_can_be_turned_off(models: Path, lines: Lines) -> None:
    with live_server(models, log_requests=False) as server:
        server.post("/v1/next", {"model": "tiny", "input": ""})
    assert lines.calls() == []


def test_a_line_of_an_error_has_its_trace_on_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it %s", ("failed",), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert (found["level"], found["message"]) == ("error", "it failed")
    assert found["exception"].endswith("ValueError: two\nlines")


@pytest.mark.parametrize(("style", "is_json"), [("json", True), ("text", False), ("auto", True)])
def test_a_server_that_writes_into_a_pipe_writes_json_unless_told_otherwise(
    models: Path, style: str, is_json: bool
) -> None:
    with server_process(models, "--log-format", style) as server:
        httpx.post(server.url + "/v1/next", json={"model": "tiny", "input": ""}, verify=TLS)
        server.end(signal.SIGTERM)
        judge, *found = server.log.splitlines()
    assert "judge words:1 is served" in judge
    assert len(found) == 3
    if is_json:
        assert [json.loads(line)["level"] for line in found] == ["info"] * 3
    else:
        assert re.search(r"rest next tiny:1 success in [\d.]+ ms, 0 given, 0 sampled$", found[0])


def test_a_grpc_client_that_is_gone_while_it_is_sent_to_is_no_error_of_the_server(
    capfd: pytest.CaptureFixture[str],
) -> None:
    root, logger = logging.getLogger(), logging.getLogger("grpc._cython.cygrpc")
    before, level = list(root.handlers), root.level
    try:
        configure_logs("info", "json")
        for error in (cygrpc.ExecuteBatchError("gone"), ValueError("a cause")):
            logger.error("raised in core", exc_info=error)
        root.handlers[0].flush()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = capfd.readouterr().err.splitlines()
    assert json.loads(line)["exception"].endswith("ValueError: a cause")


def test_auto_is_text_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        configure_logs("info", "auto")
        assert not isinstance(root.handlers[0].formatter, JsonFormatter)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
