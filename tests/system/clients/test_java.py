"""The JDK's HttpClient as it comes: it offers an upgrade to HTTP/2 (`Upgrade: h2c`), and no body is lost."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import pytest
from client_program import HERE, complete
from support.live_server import LiveServer
from support.tools import debian_program

_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    status: int
    version: str
    body: str

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Answer]:
    """All that the client got, of one run of it, by the name of the call."""
    debian_program("javac", "openjdk-17-jdk-headless")  # `java` compiles the file with it
    java = debian_program("java", "openjdk-17-jdk-headless")
    command = [java, "-Xmx256m", HERE / "HttpClientCalls.java", server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split(" ", 3) for line in done.stdout.splitlines()]
    return {name: Answer(int(status), version, unquote_plus(body)) for name, status, version, body in lines}


def scores(server: LiveServer, *texts: str) -> list[float]:
    answer = server.post("/v1/score", {"model": "tiny", "input": texts}).json()
    return [score["logprob"] for score in answer["data"]]


def test_every_call_is_answered_over_http_1_1(found: dict[str, Answer]) -> None:
    wrong = {name: answer.body for name, answer in found.items() if answer.status not in (200, 201, 204)}
    assert wrong == {}
    assert {answer.version for answer in found.values()} == {"HTTP_1_1"}


@pytest.mark.parametrize("name", ["score", "chunked"])
def test_the_body_of_a_request_with_an_offer_is_read(
    server: LiveServer, found: dict[str, Answer], name: str
) -> None:
    data = found[name].fields["data"]
    assert [score["logprob"] for score in data] == scores(server, "hello", "abc")


def test_completions_are_those_of_the_native_calls(server: LiveServer, found: dict[str, Answer]) -> None:
    (wanted,) = complete(server, prompt="ab", seed=3)
    assert found["completion"].fields["choices"][0]["text"] == wanted
    *events, last = [line.removeprefix("data: ") for line in found["stream"].body.splitlines() if line]
    assert "".join(json.loads(event)["choices"][0]["text"] for event in events) == wanted
    assert last == "[DONE]"


def test_a_session_moves_by_what_was_sent(found: dict[str, Answer]) -> None:
    assert found["create"].fields["session_id"] == "java"
    assert found["feed"].fields["position"] == len("hello")
    assert len(found["next"].fields["data"]) == 2
    sampled = found["sample"].fields
    assert sampled["position"] == len("hello") + len(sampled["choices"][0]["text"])
    assert sampled["usage"]["completion_tokens"] <= 5
    assert found["fork"].fields["session_id"] == "java.2"


def test_calls_at_once_are_answered_each_with_its_own(server: LiveServer, found: dict[str, Answer]) -> None:
    answered = [found[f"at_once_{i}"].fields["data"][0]["logprob"] for i in range(8)]
    assert answered == scores(server, *("a" * i for i in range(8)))
