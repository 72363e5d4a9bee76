"""gRPC says what REST says, field by field."""

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support.live_server import LiveServer
from support.rpc_answers import same

from nextchar.pb import nextchar_pb2 as pb


@pytest.mark.parametrize(
    "fields",
    [
        {"input": ["hello", "", "a\0b"]},
        {"input": ["hello"], "context": "abc", "return_chars": True},
        {"input": ["abc"], "model": "lines", "include_end": True, "return_chars": True},
    ],
)
def test_scores_are_equal(server: LiveServer, fields: dict) -> None:
    fields = {"model": "tiny", **fields}
    with server.stub() as stub:
        same(stub.Score(pb.ScoreRequest(**fields)), server.post("/v1/score", fields).json())


@pytest.mark.parametrize(
    "fields", [{"input": "hel"}, {"input": "", "top": 3}, {"input": "a", "model": "lines"}]
)
def test_distributions_are_equal(server: LiveServer, fields: dict) -> None:
    fields = {"model": "tiny", **fields}
    with server.stub() as stub:
        same(stub.Next(pb.NextRequest(**fields)), server.post("/v1/next", fields).json())


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 3},
        {"seed": 3, "temperature": 0.5, "top_k": 4, "top_p": 0.9, "min_p": 0.01},
        {"seed": 3, "temperature": 0.0},
        {"echo": True, "max_tokens": 0, "logprobs": 2},
        {"seed": 3, "logprobs": 3, "stop": ["e", "ab"]},
        {"seed": 3, "model": "lines", "max_tokens": 2000},
    ],
)
def test_completions_are_equal(server: LiveServer, fields: dict) -> None:
    fields = {"model": "tiny", "prompt": "abc ", "max_tokens": 40, **fields}
    whole = server.post("/v1/completions", fields).json()
    with server.stub() as stub:
        pieces = list(stub.Complete(pb.CompletionRequest(**fields)))
    choice = whole["choices"][0]
    assert "".join(piece.choices[0].text for piece in pieces) == choice["text"]
    assert pieces[-1].choices[0].finish_reason == choice["finish_reason"]
    same(pieces[-1], whole, drop=("id", "created", "choices"))
    if choice["logprobs"]:
        parts = [piece.choices[0].logprobs for piece in pieces]
        assert [v for p in parts for v in p.token_logprobs] == choice["logprobs"]["token_logprobs"]
        assert [t for p in parts for t in p.tokens] == choice["logprobs"]["tokens"]
        tops = [dict(top.logprobs) for p in parts for top in p.top_logprobs]
        assert tops == choice["logprobs"]["top_logprobs"]


def test_fields_that_are_zero_count_as_given(server: LiveServer) -> None:
    with server.stub() as stub:
        (piece,) = stub.Complete(pb.CompletionRequest(model="tiny", prompt="a", max_tokens=0))
    assert piece.usage.completion_tokens == 0
    assert MessageToDict(piece)["choices"][0]["finishReason"] == "length"


def test_the_request_id_comes_back(server: LiveServer) -> None:
    with server.stub() as stub:
        _, call = stub.Score.with_call(
            pb.ScoreRequest(model="tiny", input=["a"]), metadata=(("x-request-id", "my-id"),)
        )
        assert dict(call.initial_metadata())["x-request-id"] == "my-id"
        _, call = stub.Score.with_call(pb.ScoreRequest(model="tiny", input=["a"]))
        assert len(dict(call.initial_metadata())["x-request-id"]) == 32


def test_health_answers_for_the_server_and_each_service(server: LiveServer) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        for name in ("", "nextchar.v1.Nextchar"):
            assert next(iter(stub.Watch(health_pb2.HealthCheckRequest(service=name)))).status == serving
            assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == serving
        with pytest.raises(grpc.RpcError) as caught:
            stub.Check(health_pb2.HealthCheckRequest(service="none"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_services(server: LiveServer) -> None:
    with grpc.insecure_channel(server.grpc_address) as channel:
        services = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert {"nextchar.v1.Nextchar", "grpc.health.v1.Health"} <= services
