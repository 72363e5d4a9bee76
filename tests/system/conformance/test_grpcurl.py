"""grpcurl, which knows nothing of us but what reflection tells it."""

import base64
import json
import subprocess
from typing import Any

import pytest
from support.live_server import LiveServer
from support.tools import tool_program

_SECONDS = 60
_INFERENCE = "inference.GRPCInferenceService"
_HEALTH = "grpc.health.v1.Health"


def grpcurl(
    server: LiveServer, *arguments: str, data: Any = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    program = tool_program("grpcurl", "grpcurl")
    body = [] if data is None else ["-d", data if isinstance(data, str) else json.dumps(data)]
    first = [one for one in arguments if one.startswith("-")]
    rest = [one for one in arguments if not one.startswith("-")]
    command = [program, "-plaintext", *first, *body, server.grpc_address, *rest]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=_SECONDS, check=False)


def answers(server: LiveServer, *arguments: str, **more: Any) -> list[Any]:
    """The messages it prints."""
    done = grpcurl(server, *arguments, **more)
    assert done.returncode == 0, done.stderr
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:].lstrip()
    return found


def test_it_lists_and_describes_every_service(server: LiveServer) -> None:
    listed = grpcurl(server, "list").stdout.split()
    assert {_INFERENCE, _HEALTH, "nextchar.v1.Nextchar", "nextchar.v1.Sessions"} <= set(listed)
    for service in listed:
        done = grpcurl(server, "describe", service)
        assert (done.returncode, done.stdout.startswith(f"{service} is a service")) == (0, True), done.stderr
    assert f"{_INFERENCE}.ModelStreamInfer" in grpcurl(server, "list", _INFERENCE).stdout.split()
    described = grpcurl(server, "describe", ".inference.ModelInferRequest").stdout
    assert "repeated bytes raw_input_contents = 7;" in described


def _text(text: str, **parameters: Any) -> dict[str, Any]:
    content = {"bytes_contents": [_base64(text)]}
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "contents": content}
    return {
        "model_name": "tiny",
        "inputs": [tensor],
        "outputs": [{"name": "score"}],
        "parameters": parameters,
    }


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_it_calls_and_streams(server: LiveServer) -> None:
    scores = server.post("/v1/score", {"model": "tiny", "input": ["hello", "abc"]}).json()["data"]
    wanted = [score["logprob"] for score in scores]
    (native,) = answers(server, "nextchar.v1.Nextchar/Score", data={"model": "tiny", "input": ["hello"]})
    assert native["data"][0]["logprob"] == wanted[0]
    (one,) = answers(server, f"{_INFERENCE}/ModelInfer", data=_text("hello"))
    assert one["outputs"][0]["contents"]["fp64_contents"] == [wanted[0]]
    sent = "".join(json.dumps(_text(text)) for text in ("hello", "abc"))
    streamed = answers(server, f"{_INFERENCE}/ModelStreamInfer", data="@", given=sent)
    found = [one["infer_response"]["outputs"][0]["contents"]["fp64_contents"] for one in streamed]
    assert found == [[score] for score in wanted]
    pieces = answers(
        server, "nextchar.v1.Nextchar/Complete", data={"model": "tiny", "prompt": "a", "seed": 1}
    )
    assert pieces[-1]["choices"][0]["finish_reason"] == "length"


def test_it_shows_what_was_wrong(server: LiveServer) -> None:
    done = grpcurl(server, f"{_INFERENCE}/ModelInfer", data={**_text("a"), "model_name": "none"})
    assert done.returncode != 0
    assert "NotFound" in done.stderr
    assert "'none' is not served" in done.stderr


@pytest.mark.parametrize("service", ["", _INFERENCE, "nextchar.v1.Nextchar", "nextchar.v1.Sessions"])
def test_it_checks_the_health_of_each_service(server: LiveServer, service: str) -> None:
    assert answers(server, f"{_HEALTH}/Check", data={"service": service}) == [{"status": "SERVING"}]
    watch = grpcurl(server, "-max-time=1", f"{_HEALTH}/Watch", data={"service": service})
    assert '"status": "SERVING"' in watch.stdout
    assert "DeadlineExceeded" in watch.stderr


def test_an_unknown_service_has_no_health(server: LiveServer) -> None:
    done = grpcurl(server, f"{_HEALTH}/Check", data={"service": "none"})
    assert (done.returncode != 0, "NotFound" in done.stderr) == (True, True)
    watch = grpcurl(server, "-max-time=1", f"{_HEALTH}/Watch", data={"service": "none"})
    assert '"status": "SERVICE_UNKNOWN"' in watch.stdout
