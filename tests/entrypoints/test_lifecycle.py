"""The server as a process: it says when it is ready, it drains, and it refuses to start on bad ground."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from nextchar.entrypoints.main import main

_ROOT = Path(__file__).parents[2]
_SERVE = [
    sys.executable,
    "-c",
    "from nextchar.entrypoints.main import main; main(prog_name='nextchar')",
    "serve",
]
_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]


def environment(**more: str) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{_ROOT / 'server'}:{_ROOT / 'training'}", **more}


def _with_usual_signals() -> None:
    """A shell ignores SIGINT in the background, nohup SIGHUP, and its children inherit that."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def serving(
    *arguments: str, ignored: signal.Signals | None = None, **env: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its greeting, read as far as it goes without waiting for more."""
    without = [] if ignored is None else ["/bin/sh", "-c", f"trap '' {ignored.name[3:]}; exec \"$@\"", "sh"]
    process = subprocess.Popen(
        [*without, *_SERVE, *_PORTS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**env),
        preexec_fn=_with_usual_signals,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        greeting = ""
        while "Try:" not in greeting or not greeting.endswith("\n\n"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            greeting += line
        yield process, greeting
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def refused(*arguments: str) -> str:
    """The one line of a server that does not start."""
    done = subprocess.run(
        [*_SERVE, *arguments], capture_output=True, text=True, timeout=60, env=environment(), check=False
    )
    return one_line(done.returncode, done.stdout, done.stderr)


def refused_here(*arguments: str, **env: str) -> str:
    """The one line of settings that are refused before anything is set up, without a process."""
    done = CliRunner(env=env).invoke(main, ["serve", *arguments])
    return one_line(done.exit_code, done.stdout, done.stderr)


def one_line(status: int, printed: str, told: str) -> str:
    assert status == 2, told
    assert printed == ""
    assert told.startswith("Error: ")
    assert len(told.splitlines()) == 1
    return told


def url_of(greeting: str) -> str:
    found = re.search(r"REST +(\S+)", greeting)
    assert found
    return found[1]


def test_sigterm_lets_a_running_stream_finish_and_takes_no_new_connection(models: Path) -> None:
    with serving("--models", str(models)) as (process, greeting):
        url = url_of(greeting)
        port = int(url.rsplit(":", 1)[1])
        request = {"model": "tiny", "max_tokens": 16_384, "seed": 1, "stream": True}
        with httpx.stream("POST", url + "/v1/completions", json=request, timeout=60) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: {")
            process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert process.wait(timeout=30) == 0
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_sigint_and_sighup_drain_it_too(models: Path, number: signal.Signals) -> None:
    with serving("--models", str(models)) as (process, _):
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert "draining" in process.stderr.read()


def test_a_server_of_nohup_outlives_its_terminal(models: Path) -> None:
    with serving("--models", str(models), ignored=signal.SIGHUP) as (process, _):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)  # had it drained before, this would end it with another status
        assert process.wait(timeout=30) == 0


def test_a_second_signal_ends_it_at_once(models: Path) -> None:
    with serving("--models", str(models), "--shutdown-timeout-seconds", "60") as (process, greeting):
        request = {"model": "tiny", "max_tokens": 16_384, "seed": 1, "stream": True, "logprobs": 20}
        body = json.dumps(request).encode()
        port = int(url_of(greeting).rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as reader:
            # A reader that reads nothing: the stream cannot end.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            reader.sendall(head.encode() + body)
            assert reader.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            assert any("draining" in line for line in iter(process.stderr.readline, ""))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 128 + signal.SIGTERM


@pytest.mark.parametrize("flag", ["--http-port", "--grpc-port", "--metrics-port"])
def test_a_port_in_use_is_one_clear_error(models: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused("--models", str(models), "--log-level", "warning", *_PORTS, flag, port)
    assert f"cannot listen on 127.0.0.1:{port}" in line


def test_a_models_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    assert "does not exist" in refused("--models", str(tmp_path / "none"))


def test_bad_settings_are_one_clear_error() -> None:
    assert "http_port" in refused("--http-port", "70000")
    assert "max_lanes" in refused_here("--max-lanes", "0")
    assert "grpc_port" in refused_here(NEXTCHAR_GRPC_PORT="abc")


def test_a_flag_beats_the_environment(models: Path, tmp_path: Path) -> None:
    with serving("--models", str(models), NEXTCHAR_MODELS=str(tmp_path), NEXTCHAR_MAX_TOKENS="7") as (
        _,
        greeting,
    ):
        url = url_of(greeting)
        answer = httpx.post(url + "/v1/completions", json={"model": "tiny", "max_tokens": 8})
    assert "the limit is 7" in answer.json()["error"]["message"]
