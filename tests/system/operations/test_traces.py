"""Traces over real OTLP into a real receiver: one tree a call, in the caller's trace; nothing where off."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import TLS, live_server
from support.ports import free_port
from support.tools import tool_program
from support.waiting import until

from nextchar.errors import SettingsInvalid
from nextchar.pb import nextchar_pb2 as pb
from nextchar.telemetry.tracing import call_tracer

_NANOSECONDS = 10**9
_TRACE, _PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Receiver:
    """A receiver of traces at `endpoint`, which writes each span that comes into a file."""

    def __init__(self, endpoint: str, file: Path) -> None:
        self.endpoint, self._file = endpoint, file

    def _spans(self) -> list[dict[str, Any]]:
        whole, _, _ = self._file.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.split("\n") if line.startswith("{") and "spanId" in line]

    def spans_with(self, name: str) -> list[dict[str, Any]]:
        """Returns all spans when one of that name has come."""
        until(lambda: name in [span["name"] for span in self._spans()])
        return self._spans()


@contextmanager
def otlp_receiver(folder: Path) -> Iterator[Receiver]:
    program, port, file = tool_program("oteltap", "oteltap"), free_port(), folder / "spans"
    with file.open("wb") as output:
        process = subprocess.Popen([program, "--port", str(port)], stdout=output)

    def is_up() -> bool:
        assert process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(is_up)
        yield Receiver(f"http://127.0.0.1:{port}", file)
    finally:
        process.kill()
        process.wait(30)


def _tree(spans: list[dict[str, Any]], root_name: str) -> tuple[dict[str, Any], list[str]]:
    """The span of a call in the caller's trace, and the names of what is in it."""
    (root,) = [s for s in spans if s["name"] == root_name and s["traceId"] == _TRACE]
    parts = [s for s in spans if s["parentSpanId"] == root["spanId"]]
    begin, end = int(root["startTimeUnixNano"]), int(root["endTimeUnixNano"])
    for part in parts:
        assert part["traceId"] == _TRACE
        # Two clocks are read one after the other: between the two, the process may have to wait.
        first, last = int(part["startTimeUnixNano"]), int(part["endTimeUnixNano"])
        assert begin - _NANOSECONDS <= first <= last <= end + _NANOSECONDS
    return root, [part["name"] for part in sorted(parts, key=lambda s: int(s["startTimeUnixNano"]))]


def test_a_call_is_one_tree_of_queue_lanes_and_store_in_its_callers_trace(
    models: Path, tmp_path: Path
) -> None:
    headers = {"traceparent": f"00-{_TRACE}-{_PARENT}-01"}
    with otlp_receiver(tmp_path) as receiver:
        with live_server(models, otlp_endpoint=receiver.endpoint) as server:
            assert server.post("/v1/sessions", {"model": "tiny", "session_id": "s"}).is_success
            body = {"text": "ab", "return": "none"}
            answer = httpx.post(server.url + "/v1/sessions/s/feed", json=body, headers=headers, verify=TLS)
            with server.stub() as stub:
                call = stub.Next.with_call
                _, done = call(pb.NextRequest(model="tiny", input="ab"), metadata=tuple(headers.items()))
        spans = receiver.spans_with("nextchar.next")
    feed, parts = _tree(spans, "nextchar.session")
    assert parts == ["queue", "lanes", "store replace"]  # this server has saved it last: it is not loaded
    assert feed["parentSpanId"] == _PARENT
    assert answer.headers["traceparent"] == f"00-{_TRACE}-{feed['spanId']}-01"
    told = {each["key"]: next(iter(each["value"].values())) for each in feed["attributes"]}
    assert [told[f"nextchar.{key}"] for key in ("model", "outcome", "num_given")] == ["tiny", "success", "2"]
    following, parts = _tree(spans, "nextchar.next")
    assert parts == ["queue", "lanes"]
    assert dict(done.initial_metadata())["traceparent"] == f"00-{_TRACE}-{following['spanId']}-01"


def test_no_address_and_no_extra_are_clear_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsInvalid, match="must be an http"), call_tracer("localhost:4318"):
        pass
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsInvalid, match=r"nextchar\[otel\]"), call_tracer("http://localhost:4318"):
        pass


def test_off_is_nothing_imported_and_no_header(models: Path) -> None:
    with live_server(models) as server:
        answer = server.post("/v1/next", {"model": "tiny", "input": ""})
    assert "traceparent" not in answer.headers
    code = "import sys, nextchar.entrypoints.app; sys.exit('opentelemetry.sdk' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
