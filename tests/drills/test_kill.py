"""A server that is killed, with SIGKILL, has lost nothing that it acknowledged."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc


@contextmanager
def _process(models: Path, data: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """`nextchar serve` in a process of its own, and its address."""
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve", *ports]
    command += ["--models", str(models), "--data-dir", str(data)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            found = None
            while found is None:
                found = re.search(r"REST +(http://\S+)", process.stdout.readline())
            address = re.search(r"gRPC +(\S+)", process.stdout.readline())
            assert address
            yield process, found[1], address[1]
        finally:
            process.kill()


def test_killed_in_the_middle_of_a_stream_it_goes_on_from_what_was_acknowledged(
    server: LiveServer, models: Path, tmp_path: Path
) -> None:
    with _process(models, tmp_path) as (process, url, _):
        session = Session.create(url, session_id="s", prime="the ")
        acknowledged = session.sample(max_tokens=50)
        target = f"{url}/v1/sessions/s/sample"
        with httpx.stream("POST", target, json={"max_tokens": 16000, "stream": True}, timeout=30) as answer:
            lines = answer.iter_lines()
            seen = ""
            while len(seen) < 20:
                line = next(lines)
                if line.startswith("data: "):
                    seen += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
            process.send_signal(signal.SIGKILL)
            process.wait()
    with _process(models, tmp_path) as (_, url, _):
        session = session.on(url)
        assert session.info()["position"] == 4 + len(acknowledged)
        whole = Session.create(server, prime="the ").sample(max_tokens=50 + 60)
        rest = session.sample(max_tokens=60)
        assert acknowledged + rest == whole
        assert rest.startswith(seen[:60])  # what was seen and not acknowledged is drawn again


def test_killed_after_every_few_keystrokes_no_character_is_lost_and_none_comes_twice(
    server: LiveServer, models: Path, tmp_path: Path
) -> None:
    text, session = "the quick brown fox", None
    for _ in range(3):
        with _process(models, tmp_path) as (process, url, _):
            session = Session.create(url, session_id="k") if session is None else session.on(url)
            for character in text:
                session.do("feed", text=character, **{"return": "none"})
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert session is not None
    with _process(models, tmp_path) as (_, url, _):
        last = session.on(url)
        assert last.info()["position"] == 3 * len(text)
        assert last.next() == Session.create(server, prime=text * 3).next()


def _refused_over_grpc(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            nextchar_pb2_grpc.SessionsStub(channel).Create(pb.CreateSessionRequest(model="tiny"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in refused.value.details()
        health = health_pb2_grpc.HealthStub(channel)
        while (
            health.Check(health_pb2.HealthCheckRequest()).status != health_pb2.HealthCheckResponse.NOT_SERVING
        ):
            pass


def test_a_server_that_is_told_to_stop_finishes_and_keeps_its_sessions(
    server: LiveServer, models: Path, tmp_path: Path
) -> None:
    with _process(models, tmp_path) as (process, url, address):
        session = Session.create(url, session_id="d", prime="the ")
        target = f"{url}/v1/sessions/d/sample"
        with httpx.stream("POST", target, json={"max_tokens": 9000, "stream": True}, timeout=60) as answer:
            lines = answer.iter_lines()
            events = [next(lines)]
            process.send_signal(signal.SIGTERM)
            while httpx.get(f"{url}/v2/health/ready", timeout=30).status_code == 200:
                pass
            for path, body in (("sessions", {"model": "tiny"}), ("next", {"model": "tiny", "input": "a"})):
                refused = httpx.post(f"{url}/v1/{path}", json=body, timeout=30)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
                assert int(refused.headers["Retry-After"]) > 0
            _refused_over_grpc(address)
            events += list(lines)
        assert process.wait(60) == 0
    assert events[-2:] == ["data: [DONE]", ""]
    with _process(models, tmp_path) as (_, url, _):
        session = session.on(url)
        assert session.info()["position"] == 4 + 9000
        whole = Session.create(server, prime="the ")
        whole.sample(max_tokens=9000)
        assert session.next() == whole.next()
