"""A standard stream that is closed, full or not read ends a command with one line, or does not matter."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from support.ports import free_port
from support.waiting import until

_MAIN = "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
_PORTS = ["--grpc-port", "0", "--metrics-port", "0", "--engine-threads", "1"]
_END_SECONDS = 60


def shell(redirections: str, *arguments: str) -> list[str]:
    """The command of a shell that runs nextchar with redirections such as >&-."""
    return ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", _MAIN, *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def ended(redirections: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shell(redirections, *arguments),
        input=given,
        capture_output=True,
        text=True,
        timeout=_END_SECONDS,
        env=environment(),
        check=False,
    )


@contextmanager
def server(
    redirections: str, models: Path, *arguments: str, stderr: int = subprocess.DEVNULL
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server process and its address; what it prints is read by nobody."""
    port = free_port()
    places = [*_PORTS, "--http-port", str(port), "--models", str(models), *arguments]
    process = subprocess.Popen(
        shell(redirections, "serve", *places), stdout=subprocess.PIPE, stderr=stderr, env=environment()
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url + "/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("command", [["next"], ["score"]])
@pytest.mark.parametrize(
    ("redirection", "why"), [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")]
)
def test_output_that_cannot_be_written_is_one_line_and_status_1(
    models: Path, command: list[str], redirection: str, why: str
) -> None:
    done = ended(redirection, *command, str(models / "tiny"), "abc")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "standard output" in done.stderr
    assert why in done.stderr


def test_input_that_is_closed_is_one_line_and_status_1(models: Path) -> None:
    done = ended("<&-", "score", str(models / "tiny"))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "standard input, which is closed" in done.stderr


@pytest.mark.parametrize("redirections", ["2>&-", "<&-", "<&- 2>&-"])
def test_a_stream_that_is_not_needed_may_be_closed(models: Path, redirections: str) -> None:
    done = ended(redirections, "next", str(models / "tiny"), "abc", "--top", "1")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3)


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_a_server_whose_greeting_cannot_be_written_ends_with_one_line(models: Path, redirection: str) -> None:
    done = ended(redirection, "serve", "--http-port", "0", *_PORTS, "--models", str(models))
    lines = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert (done.returncode, len(lines)) == (1, 1), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("redirections", ["2>&-", "<&-", "<&- 2>&-", "2>/dev/full"])
def test_a_server_needs_neither_input_nor_a_log(models: Path, redirections: str) -> None:
    with server(redirections, models) as (process, url):
        until(lambda: is_ready(url))
        assert httpx.post(url + "/v1/score", json={"model": "tiny", "input": ["abc"]}).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(_END_SECONDS) == 0


def test_a_log_that_nobody_reads_stops_nothing(models: Path) -> None:
    """The pipe holds 64 KiB, and what is logged here is some megabytes."""
    with server("", models, "--log-level", "debug", stderr=subprocess.PIPE) as (process, url):
        until(lambda: is_ready(url))
        # Each line has the id; a header may have so many characters.
        with httpx.Client(base_url=url, headers={"X-Request-Id": "x" * 128}) as client:
            body = {"model": "tiny", "input": ["a"]}
            for _ in range(500):
                assert client.post("/v1/score", json=body).status_code == 200
            assert client.get("/livez").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(_END_SECONDS) == 0  # nor does its end wait for ever


@pytest.mark.parametrize("mib", [300, 400])
def test_a_process_without_memory_says_so_in_a_line(models: Path, mib: int) -> None:
    """It is short at an import, or for a thread."""
    kib = mib * 1024
    command = f'ulimit -v {kib}; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", sys.executable, "-c", _MAIN, "serve", "--models", str(models)],
        capture_output=True,
        text=True,
        timeout=_END_SECONDS,
        env=environment(),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "not enough memory" in done.stderr.splitlines()[-1]
