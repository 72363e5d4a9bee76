"""A file is read in one way, from a path and from standard input, and an error names its line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer, live_server

from nextchar.client import Client
from nextchar.entrypoints.main import main
from nextchar.errors import UnknownCharacter

MAX_CHARS = 5000
MAX_BODY = 16_384


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[LiveServer]:
    """Serves with small limits, so that a line may be too long in each way."""
    with live_server(models, max_input_chars=MAX_CHARS, max_body_bytes=MAX_BODY) as running:
        yield running


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, small: LiveServer) -> str:
    return small.url if request.param == "http" else f"grpc://{small.grpc_address}"


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, prog_name="nextchar")


def score(model: Path | str, path: Path, content: bytes, *more: str) -> tuple[str, str]:
    """Returns what is printed for a file and for the same on standard input: the scores, or the error."""
    path.write_bytes(content)
    of_file = run("score", str(model), "--file", str(path), *more)
    piped, dashed = (run("score", str(model), *dash, *more, stdin=content) for dash in ([], ["--file", "-"]))
    assert of_file.exit_code == piped.exit_code == dashed.exit_code, of_file.output
    assert piped.stderr == dashed.stderr
    if of_file.exit_code:
        return of_file.stderr, piped.stderr
    assert piped.stdout == dashed.stdout
    return of_file.stdout, piped.stdout


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffab\né\n".encode(),
        b"ab\r\n\xc3\xa9\r\n",
        b"ab\r\xc3\xa9",
        b"\xef\xbb\xbfab\r\xc3\xa9\r",
    ],
)
def test_a_byte_order_mark_and_the_newlines_of_other_systems_change_no_score(
    models: Path, tmp_path: Path, content: bytes
) -> None:
    expected = run("score", str(models / "tiny"), "ab", "é").stdout
    assert score(models / "tiny", tmp_path / "x.txt", content) == (expected, expected)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"ab\r\ncaf\xe9\n", "is not UTF-8: byte 0xe9 at offset 7, in line 2"),
        (
            "ab\n".encode("utf-16"),
            "is not UTF-8: byte 0xff at offset 0, in line 1, which is how UTF-16 begins",
        ),
        ("ab\n".encode("utf-16-le"), "is no text in UTF-8: it has NUL bytes, the first in line 1"),
    ],
)
def test_a_file_in_another_encoding_is_refused_and_not_scored(
    models: Path, tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "x.txt"
    for found, shown in zip(
        score(models / "tiny", path, content), (repr(str(path)), "standard input"), strict=True
    ):
        assert f"Error: {shown} {told}" in found
        assert found.endswith("; name its encoding with --encoding\n")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["score", "{}", "ab", "é\udce9"], "'[TEXTS]...'"),
        (["score", "{}", "ab", "--context", "é\udce9"], "'--context'"),
        (["next", "{}", "é\udce9"], "'[TEXT]'"),
        (["complete", "{}", "é\udce9"], "'[PROMPT]'"),
        (["complete", "{}", "--stop", "é\udce9"], "'--stop'"),
    ],
)
def test_an_argument_that_is_not_utf8_is_refused(models: Path, arguments: list[str], shown: str) -> None:
    found = run(*(argument.format(models / "tiny") for argument in arguments))
    assert found.exit_code == 2
    assert found.stderr.startswith(f"Error: {shown} is not UTF-8: byte 0xe9 at offset 2; ")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_scored_where_that_is_named(
    models: Path, tmp_path: Path, encoding: str
) -> None:
    expected = run("score", str(models / "tiny"), "é").output
    found = score(models / "tiny", tmp_path / "x.txt", "é\n".encode(encoding), "--encoding", encoding)
    assert found == (expected, expected)


@pytest.mark.parametrize("num_before", [0, 3, 700])
def test_a_line_that_a_server_refuses_is_named(url: str, tmp_path: Path, num_before: int) -> None:
    path = tmp_path / "x.txt"
    content = b"ab\n" * num_before + b"a" * (MAX_CHARS + 1) + b"\nc\n"
    for found, shown in zip(
        score("tiny", path, content, "--url", url), (repr(str(path)), "standard input"), strict=True
    ):
        line = f"Error: {shown}, line {num_before + 1}: input.{num_before} has {MAX_CHARS + 1} characters"
        assert line in found


@pytest.mark.parametrize("before", [b"", b"ab\n" * 300, b"ab\n" * 600 + b"a" * 4000 + b"\n"])
def test_a_line_that_is_larger_than_a_message_may_be_is_named(
    url: str, tmp_path: Path, before: bytes
) -> None:
    number = before.count(b"\n")
    content = before + b"a" * 70_000 + b"\nc\n"
    for found, shown in zip(
        score("tiny", tmp_path / "x.txt", content, "--url", url),
        (repr(str(tmp_path / "x.txt")), "standard input"),
        strict=True,
    ):
        assert f"Error: {shown}, line {number + 1}: input.{number}: " in found


def test_a_line_that_the_model_refuses_is_named_with_and_without_a_server(
    models: Path, url: str, tmp_path: Path
) -> None:
    content, path = b"ab\n" * 5000 + b"A\n", tmp_path / "x.txt"
    told = f"Error: {str(path)!r}, line 5001: input.5000 holds 'A' (U+0041)"
    assert told in score("refusing", path, content, "--url", url)[0]
    assert told in score(models / "refusing", path, content)[0]


def test_a_string_that_was_an_argument_has_no_line(models: Path) -> None:
    assert run("score", str(models / "refusing"), "ab", "A").stderr.startswith("Error: input.1 holds 'A'")


def test_the_client_names_the_string_among_all(url: str) -> None:
    strings = (text for text in ["ab"] * 600 + ["A"])
    with Client(url) as client, pytest.raises(UnknownCharacter) as caught:
        list(client.score_stream(strings, model="refusing"))
    assert caught.value.param == "input.600"
    assert str(caught.value).startswith("input.600 holds 'A'")
