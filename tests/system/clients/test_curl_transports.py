"""curl over the transports that it can choose: an offer of HTTP/2, HTTP/1.0, IPv6, compressed bodies."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client_program import complete
from rest.test_ipv6 import has_ipv6
from support.live_server import LiveServer, live_server
from support.tiny_models import TEXT, write_models
from support.tools import debian_program

_SCORE = {"model": "tiny", "input": ["hello", "abc"]}
_STREAM = {"model": "tiny", "prompt": "ab", "seed": 3, "stream": True}


def curl(url: str, *options: str | Path, body: Any = None) -> tuple[dict[str, str], str]:
    """The head and the body of the answer; the head has its first line under the empty name."""
    program = debian_program("curl", "curl")
    given = [] if body is None else ["--data-binary", "@-", "--header", "Content-Type: application/json"]
    command = [program, "--silent", "--show-error", "--include", "--max-time", "30", *options, *given, url]
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    done = subprocess.run(command, input=sent, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    head, _, content = done.stdout.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return {"": first, **{name.lower(): value for name, _, value in _parts(lines)}}, content


def _parts(lines: list[str]) -> Iterator[tuple[str, str, str]]:
    return (line.partition(": ") for line in lines)


def scores(content: str) -> list[float]:
    return [score["logprob"] for score in json.loads(content)["data"]]


def wanted_scores(server: LiveServer) -> list[float]:
    return scores(server.post("/v1/score", _SCORE).text)


def streamed(content: str) -> str:
    *events, last = [line.removeprefix("data: ") for line in content.splitlines() if line]
    assert last == "[DONE]"
    return "".join(json.loads(event)["choices"][0]["text"] for event in events)


@pytest.mark.parametrize("option", ["--http2", "--http1.1", "--http1.0"])
def test_a_body_is_read_whatever_version_is_offered(server: LiveServer, option: str) -> None:
    head, content = curl(f"{server.url}/v1/score", option, body=_SCORE)
    assert head[""].split()[1] == "200", content
    assert scores(content) == wanted_scores(server)


def test_an_offer_of_http_2_moves_a_session_by_what_was_sent(server: LiveServer) -> None:
    url = f"{server.url}/v1/sessions"
    for path, body in (
        ("", {"model": "tiny", "session_id": "offered"}),
        ("/offered/feed", {"text": "hello"}),
    ):
        head, content = curl(url + path, "--http2", body=body)
        assert head[""].split()[1] in ("200", "201"), content
    assert json.loads(content)["position"] == len("hello")


@pytest.mark.parametrize("option", ["--http2", "--http1.0"])
def test_a_stream_ends_as_its_version_says(server: LiveServer, option: str) -> None:
    """Version 1.0 knows no chunks: the stream ends with its connection."""
    head, content = curl(f"{server.url}/v1/completions", option, "--no-buffer", body=_STREAM)
    assert head[""].split()[1] == "200", content
    assert [streamed(content)] == complete(server, prompt="ab", seed=3)
    if option == "--http1.0":
        assert "transfer-encoding" not in head


def test_a_head_request_is_answered_without_a_body(server: LiveServer) -> None:
    for path in ("/v2/health/ready", "/v1/models", "/health"):
        head, content = curl(server.url + path, "--head")
        assert (head[""].split()[1], content) == ("200", ""), path


def test_a_compressed_body_is_read(server: LiveServer) -> None:
    packed = gzip.compress(json.dumps(_SCORE).encode())
    head, content = curl(f"{server.url}/v1/score", "--header", "Content-Encoding: gzip", body=packed)
    assert head[""].split()[1] == "200", content
    assert scores(content) == wanted_scores(server)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("six"), {"tiny": TEXT})


@pytest.mark.parametrize(("host", "options"), [("::1", ["-6"]), ("::", ["-6"]), ("::", ["-4"])])
def test_it_reaches_a_server_over_ipv6(models: Path, host: str, options: list[str]) -> None:
    """`::` takes both kinds of addresses."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 on its loopback")
    with live_server(models, host=host) as running:
        url = f"http://localhost:{running.app.http_port}/v1/score"
        head, content = curl(url, *options, body=_SCORE)
        assert head[""].split()[1] == "200", content
        assert len(scores(content)) == 2
