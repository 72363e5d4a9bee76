"""`nextchar watch` prints what the library says of the lines that it was given, until it is told to end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer, live_server
from support.server_process import ServerProcess
from support.waiting import until

from nextchar.entrypoints.library.model import Model
from nextchar.entrypoints.main import main
from nextchar.model.online_surprise import OnlineSurprise

_MAIN = "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
_END_SECONDS = 60
_LINES = [f"the {animal} is {k}" for k in "abcdefg" for animal in ("fox", "dog", "cat")] + ["", "zqxj kvw!"]
_ALL = ["--threshold", "1"]
_TO_END = ["--from-start", "--no-follow", "--json", *_ALL]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["watch", *arguments], prog_name="nextchar")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def expected_of(path: Path, lines: list[str]) -> list[dict[str, Any]]:
    """What the library says of lines that are one text."""
    surprise = OnlineSurprise()
    with Model(path) as model:
        end = {} if model.card.vocabulary.unit == "text" else {"include_end": True}
        newline = "" if end else "\n"
        answer = model.score([f"{line}{newline}" for line in lines], adaptive=True, **end)  # type: ignore[arg-type]
    return [
        {
            "line": item.index + 1,
            "p_value": surprise.read(-item.logprob, item.num_chars + bool(end)),
            "logprob": item.logprob,
            "bits_per_char": item.bits_per_char,
            "num_chars": item.num_chars,
            "num_unknown": item.num_unknown,
            "model_logprob": item.model_logprob,
            "is_cut": False,
            "text": line,
        }
        for item, line in zip(answer.data, lines, strict=True)
    ]


@pytest.mark.parametrize("name", ["tiny", "lines", "bytes"])
def test_it_prints_what_the_library_says_of_the_lines(models: Path, log: Path, name: str) -> None:
    lines = _LINES * 5  # more than one request has
    log.write_text("".join(f"{line}\n" for line in lines))
    result = run(str(models / name), str(log), *_TO_END)
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected_of(models / name, lines)
    assert (
        f"nextchar watch: {len(lines)} lines read, {len(lines)} printed at a threshold of 1" in result.stderr
    )


def test_only_lines_up_to_the_threshold_are_printed(models: Path, log: Path) -> None:
    lines = [*_LINES[:-1] * 3, "zzzz qqqq xxxx jjjj"]
    log.write_text("\n".join(lines))
    result = run(str(models / "tiny"), str(log), "--no-follow", "--threshold", "0.1")
    header, *rows = result.stdout.splitlines()
    expected = [one for one in expected_of(models / "tiny", lines) if one["p_value"] <= 0.1]
    assert header.split() == ["p-value", "bits", "bits/char", "line", "text"]
    assert [int(row.split()[3]) for row in rows] == [one["line"] for one in expected]
    assert expected[-1]["text"] == lines[-1]
    assert "the first 17 lines are read before one can be printed" in result.stderr


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_gives_the_same(server: LiveServer, models: Path, log: Path, scheme: str) -> None:
    log.write_text("".join(f"{line}\n" for line in _LINES * 5))
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    offline = run(str(models / "tiny"), str(log), *_TO_END)
    asked = run("tiny", str(log), *_TO_END, "--url", url)
    assert asked.exit_code == offline.exit_code == 0
    assert asked.stdout == offline.stdout
    assert len(asked.stdout.splitlines()) == len(_LINES) * 5


def test_a_line_is_cut_to_what_the_server_takes(models: Path, log: Path) -> None:
    log.write_text("x" * 1000 + "\nshort\n")
    with live_server(models, max_input_chars=100) as server:
        result = run("tiny", str(log), *_TO_END, "--url", server.url)
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["num_chars"], first["is_cut"], second["text"]) == (100, True, "short")


def test_what_a_log_says_to_the_terminal_is_shown_and_not_done(models: Path, log: Path) -> None:
    log.write_bytes("a\x1b[2Jb\N{RIGHT-TO-LEFT OVERRIDE}é\n".encode() + b"\xff\n")
    result = run(str(models / "tiny"), str(log), "--no-follow", *_ALL)
    texts = [row.split("  ")[-1] for row in result.stdout.splitlines()[1:]]
    assert texts == ["a\\x1b[2Jb\\u202eé", "\\xff"]


def test_a_line_that_the_model_refuses_is_told_of_and_left_out(models: Path, log: Path) -> None:
    log.write_text("abc\na☃b\ndef\n")
    result = run(str(models / "refusing"), str(log), *_TO_END)
    assert [json.loads(row)["text"] for row in result.stdout.splitlines()] == ["abc", "def"]
    assert "a line is not read: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--threshold", "0.0001", "--compare", "100"], "--threshold must be at least 0.0099"),
        (["--from-start", "-n", "3"], "either --lines or --from-start"),
        (["--encoding", "utf-16"], "encoding must be one"),
        (["--no-follow"], "none.log cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(models: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    result = run(str(models / "tiny"), str(tmp_path / "none.log"), *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


class _Watching:
    """A running `nextchar watch`, whose output goes into files."""

    def __init__(self, folder: Path, *arguments: str, stdin: int | None = None) -> None:
        self._out, self._err = folder / "out", folder / "err"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, "watch", *arguments, "--json", *_ALL],
                stdin=stdin,
                stdout=out,
                stderr=err,
                env=environment,
            )

    @property
    def texts(self) -> list[str]:
        return [json.loads(line)["text"] for line in self._out.read_text().splitlines()]

    @property
    def told(self) -> str:
        return self._err.read_text()

    def has_told(self, sentence: str) -> Callable[[], bool]:
        return lambda: sentence in self.told

    def has_printed(self, num_lines: int) -> Callable[[], bool]:
        return lambda: self._out.read_bytes().count(b"\n") == num_lines

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(_END_SECONDS)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., _Watching]]:
    started: list[_Watching] = []

    def start(*arguments: str, stdin: int | None = None) -> _Watching:
        started.append(_Watching(tmp_path, *arguments, stdin=stdin))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait(_END_SECONDS)


Start = Callable[..., _Watching]


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
    assert watched.process.wait(_END_SECONDS) == 0


def test_it_ends_when_nobody_reads_what_it_prints(models: Path, log: Path) -> None:
    """There is nothing more to print, so that no write tells."""
    log.write_text("the fox\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _MAIN, "watch", str(models / "tiny"), str(log), *_ALL]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"p-value" in process.stdout.readline()
        process.stdout.close()
        process.wait(_END_SECONDS)
        assert process.stderr.read() == b""


def test_a_server_that_was_away_is_waited_for_and_nothing_is_forgotten(
    models: Path, tmp_path: Path, log: Path, watching: Start
) -> None:
    log.write_text("".join(f"{line}\n" for line in _LINES[:10]))
    server = ServerProcess(models, "--data-dir", str(tmp_path / "data"))
    try:
        server.start()
        watched = watching("tiny", str(log), "--url", server.url)
        until(watched.has_printed(10))
        server.end()
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in _LINES[10:])
        until(watched.has_told("waiting for the server"))
        server.start()
        until(watched.has_printed(len(_LINES)))
        assert watched.end() == 0
    finally:
        server.close()
    printed = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert printed == expected_of(models / "tiny", _LINES)
    assert "the server answers again" in watched.told


def test_learning_begins_anew_where_the_state_is_not_taken(
    models: Path, tmp_path: Path, log: Path, watching: Start
) -> None:
    """A server that is started without the key that sealed it."""
    log.write_text("".join(f"{line}\n" for line in _LINES))
    server = ServerProcess(models)
    try:
        server.start()
        watched = watching("tiny", str(log), "--url", server.url)
        until(watched.has_printed(len(_LINES)))
        server.end()
        server.start()
        with log.open("a") as file:
            file.writelines(f"{line}\n" for line in _LINES)
        until(watched.has_printed(2 * len(_LINES)))
        assert watched.end() == 0
    finally:
        server.close()
    printed = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    first, second = printed[: len(_LINES)], printed[len(_LINES) :]
    assert [{**one, "line": one["line"] - len(_LINES)} for one in second] == first
    assert "learning begins anew" in watched.told
