"""`nextchar healthcheck`: what a container's health check and a probe learn, and what it costs to ask."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer, live_server

from nextchar.entrypoints.main import main


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["healthcheck", *arguments])


def both_protocols(server: LiveServer) -> list[tuple[str, ...]]:
    return [("--port", str(server.app.http_port)), ("--port", str(server.app.grpc_port), "--grpc")]


def test_a_server_that_takes_work_is_ready_and_live_at_both_protocols(server: LiveServer) -> None:
    for protocol in both_protocols(server):
        for question in ((), ("--live",)):
            answer = check(*protocol, *question)
            assert (answer.exit_code, answer.output) == (0, "")


def test_a_server_that_drains_is_live_and_not_ready(models: Path) -> None:
    with live_server(models) as server:
        server.loop.call_soon_threadsafe(server.app.service.lifecycle.drain, 30.0)
        http, grpc = both_protocols(server)
        assert check(*http, "--live").exit_code == check(*grpc, "--live").exit_code == 0
        answer = check(*http)
        assert answer.exit_code == 1
        assert "503" in answer.stderr
        assert "draining" in answer.stderr


def test_it_asks_the_ports_that_the_environment_names(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_HTTP_PORT", str(server.app.http_port))
    monkeypatch.setenv("NEXTCHAR_GRPC_PORT", str(server.app.grpc_port))
    assert check().exit_code == check("--grpc").exit_code == 0
    monkeypatch.setenv("NEXTCHAR_HTTP_PORT", "http")
    assert "NEXTCHAR_HTTP_PORT" in check().stderr


@pytest.mark.parametrize("protocol", [(), ("--grpc",)])
def test_where_nobody_answers_it_says_so_in_a_line(protocol: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    answer = check("--port", port, *protocol)
    assert answer.exit_code == 1
    assert answer.stderr.startswith("no answer: ")
    assert len(answer.stderr.splitlines()) == 1


def test_it_loads_neither_models_libraries_nor_grpc() -> None:
    code = (
        "import sys\nfrom nextchar.entrypoints.main import main\n"
        "main(['healthcheck', '--port', '1'], standalone_mode=False)"
    )
    code = f"try:\n  exec({code!r})\nexcept SystemExit: pass\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "nextchar.entrypoints.commands.healthcheck" in done.stdout.split()
    assert not {"numpy", "onnxruntime", "grpc", "pydantic", "fastapi"} & set(done.stdout.split())


def test_onnxruntime_reports_to_nobody_and_writes_nothing_at_home(tmp_path: Path) -> None:
    code = "import nextchar.model.graph, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    path = ":".join(entry for entry in sys.path if entry)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert list(tmp_path.iterdir()) == []
