"""With --url the command line asks a server, and prints what it prints without one."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.live_server import LiveServer

from nextchar.entrypoints.main import main


def run(*arguments: str, stdin: str | None = None, key: str | None = None) -> Result:
    env = {"NEXTCHAR_API_KEY": key}
    return CliRunner(env=env).invoke(main, arguments, input=stdin, prog_name="nextchar")


COMMANDS = [
    (["score", "{}", "hello", "", "a\N{SNOWMAN}", "--return-chars"], None),
    (["score", "{}", "hello", "b", "--json", "--context", "é"], None),
    (["score", "{}"], "ab\nc\r\n\nd"),
    (["score", "{}", "--file", "-"], "ab\n" * 700),
    (["score", "{}", "--file", "-", "--json", "--context", "xy"], "ab\n" * 700),
    (["compare", "{}", "hello", "htktt", "--context", "é", "--rank-by", "bits_per_char"], None),
    (["compare", "{}", "ab", "", "--json", "--adaptive", "--context", "ab ab "], None),
    (["next", "{}", "hel"], None),
    (["next", "{}", "--json", "--top", "3"], None),
    (["complete", "{}", "ab", "--max-tokens", "90", "--seed", "3", "--echo", "--top-k", "5"], None),
    (["complete", "{}", "ab", "--max-tokens", "90", "--seed", "3", "--typical-p", "0.4"], None),
    (["complete", "{}", "--temperature", "0", "--stop", "a", "--stop", "e"], None),
]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize(("command", "stdin"), COMMANDS)
def test_it_prints_what_it_prints_offline(
    server: LiveServer, models: Path, scheme: str, command: list[str], stdin: str | None
) -> None:
    offline = run(*(part.format(models / "tiny") for part in command), stdin=stdin)
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    asked = run(*(part.format("tiny") for part in command), "--url", url, stdin=stdin)
    assert offline.exit_code == asked.exit_code == 0, asked.output
    assert asked.stdout == offline.stdout
    assert len(asked.stdout) > 1


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["score", "none", "a"], "model 'none' is not served here"),
        (["score", "tiny", "a", "--include-end"], "no end symbol"),
        (["compare", "tiny", "a", "--rank-by", "log_ratio"], "reference_model must be set"),
        (["complete", "tiny", "--temperature", "-1"], "temperature: input should be greater"),
        (["score", "tiny", "a", "--file", "-"], "not both"),
        (["score", "tiny", "--file", "-", "--json"], "at least one string"),
    ],
)
def test_what_is_wrong_is_one_line(server: LiveServer, scheme: str, command: list[str], told: str) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    result = run(*command, "--url", url, stdin="")
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_address_that_is_none_is_said_so() -> None:
    assert "url must name a host" in run("next", "tiny", "--url", "localhost:8000").stderr
