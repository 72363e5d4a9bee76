"""A server that is killed, with SIGKILL, has lost nothing that it acknowledged."""

import json
import signal
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.live_server import TLS, LiveServer, live_server
from support.server_process import ServerProcess, server_process
from support.session_client import HELD_CHARS, Session
from support.tiny_models import STEP_GRAPHS, write_every_cell
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

ADAPTIVE = pytest.mark.parametrize("adaptive", [None, True], ids=["plain", "adaptive"])


@ADAPTIVE
def test_killed_in_the_middle_of_a_stream_it_goes_on_from_what_was_acknowledged(
    alone: LiveServer, models: Path, tmp_path: Path, adaptive: Any
) -> None:
    with server_process(models, "--data-dir", str(tmp_path)) as server:
        session = Session.create(server.url, session_id="s", prime="the ", adaptive=adaptive)
        acknowledged = session.sample(max_tokens=50)
        with session.held_stream() as lines:
            seen = ""
            while len(seen) < 20:
                line = next(lines)
                if line.startswith("data: "):
                    seen += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
            server.end()
        server.start()
        assert session.info()["position"] == 4 + len(acknowledged)
        whole = Session.create(alone, prime="the ", adaptive=adaptive).sample(max_tokens=50 + 60)
        rest = session.sample(max_tokens=60)
        assert acknowledged + rest == whole
        assert rest.startswith(seen[:60])  # what was seen and not acknowledged is drawn again


@ADAPTIVE
def test_killed_after_every_few_keystrokes_no_character_is_lost_and_none_comes_twice(
    alone: LiveServer, models: Path, tmp_path: Path, adaptive: Any
) -> None:
    text, num_kills = "the quick brown fox", 2
    with server_process(models, "--data-dir", str(tmp_path)) as server:
        session = Session.create(server.url, session_id="k", adaptive=adaptive)
        for _ in range(num_kills):
            for character in text:
                session.do("feed", text=character, **{"return": "none"})
            server.end()
            server.start()
        assert session.info()["position"] == num_kills * len(text)
        whole = Session.create(alone, prime=text * num_kills, adaptive=adaptive)
        assert session.next() == whole.next()


def test_killed_the_adaptive_sessions_of_every_cell_go_on(tmp_path: Path) -> None:
    """With all that they can say and draw: beside each is one of a server that ran through."""
    folder, text = write_every_cell(tmp_path / "models", seed=3), "the quick brown fox. " * 20
    with (
        server_process(folder, "--data-dir", str(tmp_path)) as server,
        live_server(folder, engine_threads=1) as through,
    ):
        pairs = [
            [
                Session.create(where, model=f"{cell}-{precision}", prime=text, adaptive=True)
                for where in (server.url, through)
            ]
            for cell, precision in STEP_GRAPHS
        ]
        for session in chain.from_iterable(pairs):
            session.do("checkpoint", name="c")
            session.do("feed", text="a lazy dog. ")
        server.end()
        server.start()
        for killed, whole in pairs:
            for call, fields in (
                ("rewind", {"num_chars": 5}),
                ("feed", {"text": "dog. "}),
                ("rollback", {"name": "c"}),
            ):
                assert killed.do(call, **fields)["position"] == whole.do(call, **fields)["position"]
                assert killed.next() == whole.next()
            assert killed.sample(max_tokens=40) == whole.sample(max_tokens=40)


def _refused_over_grpc(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            nextchar_pb2_grpc.SessionsStub(channel).Create(pb.CreateSessionRequest(model="tiny"))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "shutting down" in refused.value.details()
        health, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
        until(lambda: health.Check(request).status == health_pb2.HealthCheckResponse.NOT_SERVING)


def _is_ready(server: ServerProcess) -> bool:
    return httpx.get(f"{server.url}/v2/health/ready", timeout=30, verify=TLS).is_success


def test_a_server_that_is_told_to_stop_finishes_and_keeps_its_sessions(
    alone: LiveServer, models: Path, tmp_path: Path
) -> None:
    with server_process(models, "--data-dir", str(tmp_path)) as server:
        session = Session.create(server.url, session_id="d", prime="the ")
        with session.held_stream() as lines:
            events = [next(lines)]
            server.send(signal.SIGTERM)
            until(lambda: not _is_ready(server))
            for path, fields in (("sessions", {"model": "tiny"}), ("next", {"model": "tiny", "input": "a"})):
                refused = httpx.post(f"{server.url}/v1/{path}", json=fields, timeout=30, verify=TLS)
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
                assert int(refused.headers["Retry-After"]) > 0
            _refused_over_grpc(server)
            events += list(lines)
        assert server.ended() == 0
        assert events[-2:] == ["data: [DONE]", ""]
        server.start()
        assert session.info()["position"] == 4 + HELD_CHARS
        whole = Session.create(alone, prime="the ")
        whole.sample(max_tokens=HELD_CHARS)
        assert session.next() == whole.next()
