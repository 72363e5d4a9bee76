"""tritonclient over HTTP and gRPC, as it comes: its numbers are ours, its protocol is ours."""

from pathlib import Path
from typing import Any

import pytest
from clients.client_program import answers, tensors
from google.protobuf.descriptor import Descriptor
from support.live_server import LiveServer
from support.tools import tool_python

from nextchar.pb import inference_pb2

_SCRIPT = Path(__file__).with_name("tritonclient_calls.py")
TEXTS = ["hello", "abc é"]
STEPS = ["he", "llo", " there"]


@pytest.fixture(scope="module")
def found(server: LiveServer) -> dict[str, Any]:
    """All that the client got, of one run of it."""
    addresses = [f"127.0.0.1:{server.app.http_port}", server.grpc_address]
    command = [tool_python("tritonclient"), _SCRIPT, *addresses, "tiny"]
    answer: dict[str, Any] = answers(*command)
    return answer


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_numbers_are_those_of_the_native_calls(
    server: LiveServer, found: dict[str, Any], protocol: str
) -> None:
    got, wanted = found[protocol], tensors(server, TEXTS)
    assert got["infer"] == got["timeout"] == found["asyncio"][protocol] == wanted
    assert got["chosen"] == {"score": wanted["score"]}
    assert sorted(one["score"] for one in got["async"]) == sorted([score] for score in wanted["score"])
    ids = [server.post("/v1/next", {"model": "tiny", "input": ""}).json()["data"]]
    text = "".join(next(c["char"] for c in ids[0] if c["id"] == i) for i in (2, 3, 4))
    assert got["ids"] == tensors(server, [text])
    assert (got["live"], got["ready"], got["model_ready"], got["unknown_ready"]) == (True, True, True, False)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_request_may_be_compressed(
    server: LiveServer, found: dict[str, Any], protocol: str, coding: str
) -> None:
    assert found[protocol]["compressed"][coding] == tensors(server, TEXTS)


def test_json_tensors_are_those_of_bytes(server: LiveServer, found: dict[str, Any]) -> None:
    assert found["http"]["json"] == tensors(server, TEXTS)["log_probs"]


def _check_sequence(server: LiveServer, steps: list[dict[str, Any]]) -> None:
    for i, step in enumerate(steps):
        wanted = tensors(server, [STEPS[i]], context="".join(STEPS[:i]))
        assert step["score"] == pytest.approx(wanted.pop("score"), abs=1e-9)
        assert {name: step[name] for name in wanted} == wanted


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_sequence_goes_on(server: LiveServer, found: dict[str, Any], protocol: str) -> None:
    _check_sequence(server, found[protocol]["sequence"])


def test_a_stream_holds_a_sequence_an_error_and_goes_on(server: LiveServer, found: dict[str, Any]) -> None:
    *steps, wrong, last = found["grpc"]["stream"]
    _check_sequence(server, steps)
    assert "'none' is not served" in wrong[1]
    assert last == tensors(server, TEXTS)
    *steps, wrong = found["grpc"]["strict_stream"]
    _check_sequence(server, steps)
    assert wrong[0] == "StatusCode.NOT_FOUND"


def test_errors_have_their_status_and_say_why(found: dict[str, Any]) -> None:
    for protocol, status in (("http", "404"), ("grpc", "StatusCode.NOT_FOUND")):
        assert found[protocol]["unknown"][0] == found[protocol]["no_start"][0] == status
        assert "sequence_start" in found[protocol]["no_start"][1]


def test_what_is_told_of_the_model_is_read(found: dict[str, Any]) -> None:
    http, grpc = found["http"], found["grpc"]
    assert http["metadata"] == grpc["metadata"]
    assert http["model"]["outputs"][0]["shape"] == [-1, 32]
    assert [one["name"] for one in grpc["model"]["outputs"]] == ["log_probs", "next", "next_id", "score"]
    assert "sequence_batching" in http["config"]
    assert "sequence_batching" in grpc["config"]["config"]
    for stats in (http["statistics"], grpc["statistics"]):
        assert int(stats["model_stats"][0]["inference_count"]) > 0


def test_models_are_unloaded_and_loaded(found: dict[str, Any]) -> None:
    for protocol in ("http", "grpc"):
        before, without, after = found[protocol]["repository"]
        assert before == after == ["READY"]
        assert without != ["READY"]


def test_the_protocol_is_the_clients(found: dict[str, Any]) -> None:
    theirs, ours = found["protocol"], inference_pb2.DESCRIPTOR
    fields: dict[str, list[Any]] = {}
    for message in ours.message_types_by_name.values():
        fields |= _fields(message)
    assert {name: theirs["fields"].get(name) for name in fields} == fields
    calls = ours.services_by_name["GRPCInferenceService"].methods
    assert len(calls) == 12
    for call in calls:
        assert theirs["calls"][call.name] == [call.input_type.full_name, call.output_type.full_name]


def _fields(message: Descriptor) -> dict[str, list[Any]]:
    found = {}
    for field in message.fields:
        kind = field.message_type or field.enum_type
        found[f"{message.full_name}.{field.name}"] = [
            field.number,
            kind.full_name if kind else field.type,
            field.is_repeated,
        ]
    for inner in message.nested_types:
        found |= _fields(inner)
    return found
