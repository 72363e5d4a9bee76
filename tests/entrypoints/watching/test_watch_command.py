"""`nextchar watch` prints what the library says of the lines that it was given."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer, live_server
from watch_process import ALL, LINES, expected_of

from nextchar.entrypoints.main import main

_TO_END = ["--from-start", "--no-follow", "--json", *ALL]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["watch", *arguments], prog_name="nextchar")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.mark.parametrize("name", ["tiny", "lines", "bytes"])
def test_it_prints_what_the_library_says_of_the_lines(models: Path, log: Path, name: str) -> None:
    lines = LINES * 5  # more than one request has
    log.write_text("".join(f"{line}\n" for line in lines))
    result = run(str(models / name), str(log), *_TO_END)
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected_of(models / name, lines)
    assert (
        f"nextchar watch: {len(lines)} lines read, {len(lines)} printed at a threshold of 1" in result.stderr
    )


def test_only_lines_up_to_the_threshold_are_printed(models: Path, log: Path) -> None:
    lines = [*LINES[:-1] * 3, "zzzz qqqq xxxx jjjj"]
    log.write_text("\n".join(lines))
    result = run(str(models / "tiny"), str(log), "--no-follow", "--threshold", "0.1")
    header, *rows = result.stdout.splitlines()
    expected = [one for one in expected_of(models / "tiny", lines) if one["p_value"] <= 0.1]
    assert header.split() == ["p-value", "bits", "bits/char", "line", "text"]
    assert [int(row.split()[3]) for row in rows] == [one["line"] for one in expected]
    assert expected[-1]["text"] == lines[-1]
    assert "nextchar watch: 17 lines are read before one can be printed" in result.stderr


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_gives_the_same(server: LiveServer, models: Path, log: Path, scheme: str) -> None:
    log.write_text("".join(f"{line}\n" for line in LINES * 5))
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    offline = run(str(models / "tiny"), str(log), *_TO_END)
    asked = run("tiny", str(log), *_TO_END, "--url", url)
    assert asked.exit_code == offline.exit_code == 0
    assert asked.stdout == offline.stdout
    assert len(asked.stdout.splitlines()) == len(LINES) * 5


def test_one_line_is_counted_in_the_singular(models: Path, log: Path) -> None:
    log.write_text("alone\n")
    result = run(str(models / "tiny"), str(log), "--no-follow", "--threshold", "0.5")
    assert result.stderr.splitlines() == [
        "nextchar watch: 1 line is read before one can be printed",
        "nextchar watch: 1 line read, 0 printed at a threshold of 0.5",
    ]


def test_a_folder_is_refused_by_name(models: Path, tmp_path: Path) -> None:
    result = run(str(models / "tiny"), str(tmp_path))
    assert result.stderr == f"Error: {str(tmp_path)!r} cannot be read: it is not a regular file\n"


def test_a_line_is_cut_to_what_the_server_takes(models: Path, log: Path) -> None:
    log.write_text("x" * 1000 + "\nshort\n")
    with live_server(models, max_input_chars=100) as server:
        result = run("tiny", str(log), *_TO_END, "--url", server.url)
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["num_chars"], first["is_cut"], second["text"]) == (100, True, "short")


def test_what_a_log_says_to_the_terminal_is_shown_and_not_done(models: Path, log: Path) -> None:
    log.write_bytes("a\x1b[2Jb\N{RIGHT-TO-LEFT OVERRIDE}é\n".encode() + b"\xff\n")
    result = run(str(models / "tiny"), str(log), "--no-follow", *ALL)
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
        (["--threshold", "0.0001", "--compare", "100"], "--threshold must be at least 0.01 ("),
        (["--threshold", "0.33", "--compare", "2"], "--threshold must be at least 0.34 ("),
        (["--from-start", "-n", "3"], "either --lines or --from-start"),
        (["--encoding", "utf-16"], "encoding must be one"),
        (["--no-follow"], "none.log' cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(models: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    result = run(str(models / "tiny"), str(tmp_path / "none.log"), *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
