"""A background task that fails is logged once, counted and makes the server unready; shutdown is clean."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import grpc
import pytest
import uvicorn
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry
from support.live_server import live_server
from support.waiting import until

from nextchar.entrypoints.app import running
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.supervisor import Supervisor
from nextchar.repository.manager import ModelManager
from nextchar.rest.http.server import _Server
from nextchar.rpc.server import RpcServer
from nextchar.security.key_file import KeyFile
from nextchar.service.sessions.maintenance import SessionMaintenance
from nextchar.telemetry.metric_table import TASKS

_ROOT = Path(__file__).parents[2]
_START = _Server.startup
_FAILED = "failed; the server is unready until restarted"


async def _fail(*_: object, **__: object) -> NoReturn:
    raise LookupError("broken on purpose")


async def _start_and_fail(server: _Server, sockets: list[socket.socket]) -> None:
    """Only this server's: the class's other servers run on."""
    await _START(server, sockets)

    async def on_tick(counter: int) -> bool:
        return await uvicorn.Server.on_tick(server, counter) if counter == 0 else await _fail()

    server.on_tick = on_tick  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("owner", "method", "work", "task"),
    [
        (SessionMaintenance, "run", _fail, "session_maintenance"),
        (ModelManager, "unload_retired", _fail, "model_unloader"),
        (KeyFile, "follow", _fail, "key_file"),
        (RpcServer, "_follow", _fail, "grpc_health"),
        (_Server, "startup", _start_and_fail, "http_server"),
    ],
)
def test_a_task_that_fails_makes_a_server_unready_that_still_answers(
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    method: str,
    work: Callable[..., Awaitable[object]],
    task: str,
) -> None:
    monkeypatch.setattr(owner, method, work)
    keys = tmp_path / "keys"
    keys.touch()
    with live_server(models, api_keys_file=keys if task == "key_file" else None) as server:
        until(lambda: server.get("/readyz").status_code == 503)
        answer = server.get("/v2/health/ready")
        assert answer.json() == {
            "status": f"background task {task} failed; restart the server (its log has the cause)",
            "ready": False,
        }
        assert server.get("/livez").status_code == 200
        if task != "key_file":
            assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
        counts = {name: server.metric("nextchar_background_task_failures_total", task=name) for name in TASKS}
        assert counts == {name: float(name == task) for name in TASKS}
    (record,) = [record for record in caplog.records if _FAILED in record.getMessage()]
    assert record.getMessage() == f"background task {task} {_FAILED}"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "broken on purpose"
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_grpc_health_is_not_serving_after_a_failure(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionMaintenance, "run", _fail)
    request = health_pb2.HealthCheckRequest()
    with live_server(models) as server, grpc.insecure_channel(server.grpc_address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        until(lambda: check(request).status == health_pb2.HealthCheckResponse.NOT_SERVING)


def test_a_process_whose_watcher_fails_logs_it_once_and_ends_with_status_0(models: Path) -> None:
    code = (
        "import nextchar.repository.watcher as watcher\n"
        "async def fail(*_, **__): raise LookupError('broken on purpose')\n"
        "watcher.watch_models = fail\n"
        "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
    )
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    command = [
        sys.executable,
        "-c",
        code,
        "serve",
        "--models",
        str(models),
        "--model-poll-seconds",
        "1",
        *ports,
    ]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{_ROOT / 'server'}:{_ROOT / 'training'}"}
    process = subprocess.Popen(
        [*command, "--log-format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert any("Try:" in line for line in iter(process.stdout.readline, ""))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.count("background task model_watcher failed") == 1
    assert errors.count("broken on purpose") == 1
    assert not any(line.startswith("Traceback") for line in errors.splitlines())


def test_an_http_server_that_cannot_start_says_why(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Server, "startup", _fail)

    async def start() -> None:
        async with running(Settings(models=models, http_port=0, grpc_port=0, metrics_port=0)):
            pass

    with pytest.raises(LookupError, match="broken on purpose"):
        asyncio.run(start())


def supervised(work: Callable[[], Awaitable[None]]) -> list[str]:
    """What a supervisor reports of work that has a moment to run."""
    reasons: list[str] = []

    async def run() -> None:
        async with Supervisor(CollectorRegistry(), reasons.append) as supervisor:
            supervisor.start("model_watcher", work())  # type: ignore[arg-type]
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(run())
    return reasons


def test_work_that_ends_or_is_cancelled_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert supervised(lambda: asyncio.sleep(0)) == []
    assert supervised(lambda: asyncio.sleep(3600)) == []
    assert caplog.records == []


def test_work_that_fails_while_it_is_cancelled_is_reported_and_raised_nowhere() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise LookupError("broken on purpose")

    assert len(supervised(work)) == 1
