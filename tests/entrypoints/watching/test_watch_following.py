"""`nextchar watch` reads what comes, wherever from, until it is told to end; then it sums up."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer
from support.server_process import ServerProcess
from support.waiting import until
from watch_process import ALL, END_SECONDS, LINES, MAIN, Watching, environment, expected_of


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(*arguments: str, stdin: int | None = None) -> Watching:
        started.append(Watching(tmp_path, *arguments, stdin=stdin))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait(END_SECONDS)


Start = Callable[..., Watching]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_file_is_followed_until_a_signal_comes(
    models: Path, tmp_path: Path, log: Path, watching: Start, number: signal.Signals
) -> None:
    log.write_text("the fox\n")
    watched = watching(str(models / "tiny"), str(log))
    until(watched.has_printed(1))
    with log.open("a") as file:
        file.write("the dog\npart")
    until(watched.has_printed(2))
    log.rename(tmp_path / "app.log.1")
    log.write_text("the cat\n")
    until(watched.has_printed(4))
    assert watched.end(number) == 0
    assert watched.texts == ["the fox", "the dog", "part", "the cat"]
    assert f"{log} was replaced: the new one is read after it" in watched.told
    assert watched.told.splitlines()[-1] == "nextchar watch: 4 lines read, 4 printed at a threshold of 1"


@pytest.mark.parametrize("where", ["here", "http", "grpc"])
def test_a_signal_ends_it_in_the_middle_of_much_to_read(
    models: Path, log: Path, watching: Start, server: LiveServer, where: str
) -> None:
    log.write_text("".join(f"{k} {'x' * 40}\n" for k in range(20_000)))
    urls = {"http": server.url, "grpc": f"grpc://{server.grpc_address}"}
    model, url = ("tiny", ["--url", urls[where]]) if where in urls else (str(models / "tiny"), [])
    watched = watching(model, str(log), "--from-start", *url)
    until(lambda: watched.texts)
    assert watched.end() == 0
    assert 0 < len(watched.texts) < 20_000
    assert watched.texts == [f"{k} {'x' * 40}" for k in range(len(watched.texts))]
    assert watched.told.splitlines()[-1].startswith(f"nextchar watch: {len(watched.texts):,} lines read")


def test_a_pipe_with_a_name_goes_on_with_the_next_writer(
    models: Path, tmp_path: Path, watching: Start
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    watched = watching(str(models / "tiny"), str(pipe))
    for k, text in enumerate(["one\ntwo", "three\n"]):
        with pipe.open("w") as writer:
            writer.write(text)
        until(watched.has_printed(2 + k))
    assert watched.end() == 0
    assert watched.texts == ["one", "two", "three"]


def test_lines_of_standard_input_are_printed_as_they_come(models: Path, watching: Start) -> None:
    watched = watching(str(models / "tiny"), "-", stdin=subprocess.PIPE)
    assert watched.process.stdin is not None
    for k, line in enumerate([b"one\n", b"two\n"], start=1):
        watched.process.stdin.write(line)
        watched.process.stdin.flush()
        until(watched.has_printed(k))
    watched.process.stdin.close()
    assert watched.process.wait(END_SECONDS) == 0


def test_it_ends_when_nobody_reads_what_it_prints(models: Path, log: Path) -> None:
    """There is nothing more to print, so that no write tells."""
    log.write_text("the fox\n")
    command = [sys.executable, "-c", MAIN, "watch", str(models / "tiny"), str(log), *ALL]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"p-value" in process.stdout.readline()
        process.stdout.close()
        process.wait(END_SECONDS)
        assert process.stderr.read() == b""


def test_a_server_that_was_away_is_waited_for_and_nothing_is_forgotten(
    models: Path, tmp_path: Path, log: Path, watching: Start
) -> None:
    log.write_text("".join(f"{line}\n" for line in LINES[:10]))
    server = ServerProcess(models, "--data-dir", str(tmp_path / "data"))
    try:
        server.start()
        watched = watching("tiny", str(log), "--url", server.url)
        until(watched.has_printed(10))
        server.end()
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in LINES[10:])
        until(watched.has_told("waiting for the server"))
        server.start()
        until(watched.has_printed(len(LINES)))
        assert watched.end() == 0
    finally:
        server.close()
    printed = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert printed == expected_of(models / "tiny", LINES)
    assert "the server answers again" in watched.told


def test_learning_begins_anew_where_the_state_is_not_taken(
    models: Path, tmp_path: Path, log: Path, watching: Start
) -> None:
    """A server that is started without the key that sealed it."""
    log.write_text("".join(f"{line}\n" for line in LINES))
    server = ServerProcess(models)
    try:
        server.start()
        watched = watching("tiny", str(log), "--url", server.url)
        until(watched.has_printed(len(LINES)))
        server.end()
        server.start()
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in LINES)
        until(watched.has_printed(2 * len(LINES)))
        assert watched.end() == 0
    finally:
        server.close()
    printed = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    first, second = printed[: len(LINES)], printed[len(LINES) :]
    assert [{**one, "line": one["line"] - len(LINES)} for one in second] == first
    assert "learning begins anew" in watched.told
