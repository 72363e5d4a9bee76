"""A field that a message's type does not have is refused, wherever it is, unless the server is lenient."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from support.live_server import LiveServer, live_server
from support.rpc_answers import details

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2 as oip
from nextchar.pb import inference_pb2_grpc, nextchar_pb2_grpc
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.unknown_fields import refuse_unknown_fields

UNKNOWN = b"\x88\x3f\x01"  # field 1009, a number; no type has as many
NUMBER = "1009"
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in (pb.DESCRIPTOR, oip.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
}
TENSOR = oip.ModelInferRequest.InferInputTensor(
    name="text", datatype="BYTES", shape=[1], contents=oip.InferTensorContents(bytes_contents=[b"a"])
)


def with_unknown(message: Message) -> Message:
    """The same, and a field more."""
    return type(message).FromString(message.SerializeToString() + UNKNOWN)


def call(server: LiveServer, path: str, data: bytes) -> list[bytes]:
    """The bytes of every answer to a method's one message."""
    method = METHODS[path]
    with grpc.insecure_channel(server.grpc_address) as channel:
        reads, gives = method.client_streaming, method.server_streaming
        kind = f"{'stream' if reads else 'unary'}_{'stream' if gives else 'unary'}"
        answer = getattr(channel, kind)(path)(iter([data]) if reads else data, timeout=30)
        return list(answer) if gives else [answer]


def refused(caught: pytest.ExceptionInfo[grpc.RpcError], where: str, param: str = NUMBER) -> None:
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == f"unknown field {NUMBER} in {where}"
    assert details(caught.value) == ("unknown_field", param, None)


@pytest.fixture(scope="module")
def lenient(models: Path) -> Iterator[LiveServer]:
    with live_server(models, lenient_fields=True) as running:
        yield running


@pytest.mark.parametrize(
    "path", sorted(METHODS.keys() - {"/inference.GRPCInferenceService/ModelStreamInfer"})
)
def test_every_method_refuses_it(server: LiveServer, path: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(server, path, UNKNOWN)
    refused(caught, METHODS[path].input_type.name)


def test_a_stream_of_the_inference_protocol_tells_of_it_and_goes_on(server: LiveServer) -> None:
    good = oip.ModelInferRequest(model_name="tiny", inputs=[TENSOR])
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        first, second = stub.ModelStreamInfer(iter([with_unknown(good), good]), timeout=30)
        assert first.error_message == f"unknown field {NUMBER} in ModelInferRequest"
        assert second.error_message == ""
        with pytest.raises(grpc.RpcError) as caught:
            list(stub.ModelStreamInfer(iter([with_unknown(good)]), metadata=[("triton_grpc_error", "true")]))
    refused(caught, "ModelInferRequest")


def test_a_later_message_of_a_stream_is_held_to_it_too(server: LiveServer) -> None:
    first = pb.ScoreRequest(model="tiny", input=["a"])
    with server.stub() as stub:
        answers = stub.ScoreStream(iter([first, with_unknown(pb.ScoreRequest(input=["b"]))]), timeout=30)
        assert len(next(answers).data) == 1
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
    refused(caught, "ScoreRequest")


def test_a_call_inside_a_conversation_is_held_to_it(server: LiveServer) -> None:
    create = pb.SessionCall(create=pb.CreateSessionRequest(model="tiny"))
    feed = pb.SessionCall(feed=with_unknown(pb.FeedRequest(text="a")))
    with grpc.insecure_channel(server.grpc_address) as channel:
        replies = nextchar_pb2_grpc.SessionsStub(channel).Converse(iter([create, feed]), timeout=30)
        assert next(replies).info.session_id
        with pytest.raises(grpc.RpcError) as caught:
            next(replies)
    refused(caught, "SessionCall.feed", f"feed.{NUMBER}")


def test_the_place_inside_a_message_is_named(server: LiveServer) -> None:
    options = with_unknown(pb.StreamOptions())
    with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        list(stub.Complete(pb.CompletionRequest(model="tiny", stream_options=options)))
    refused(caught, "CompletionRequest.stream_options", f"stream_options.{NUMBER}")


def test_items_and_entries_are_looked_into() -> None:
    item = oip.ModelInferRequest(inputs=[TENSOR, with_unknown(TENSOR)])
    entry = oip.ModelInferRequest(inputs=[TENSOR])
    entry.inputs[0].parameters["x" * 50].MergeFromString(UNKNOWN)
    ids = pb.CompletionRequest(prompt_token_ids=[pb.TokenIds(), with_unknown(pb.TokenIds())])
    for message, place in (
        (item, "inputs.1"),
        (entry, f"inputs.0.parameters.{'x' * 40}"),
        (ids, "prompt_token_ids.1"),
    ):
        with pytest.raises(InvalidRequest, match=f" in {message.DESCRIPTOR.name}.{place}$") as caught:
            refuse_unknown_fields(message)
        assert (caught.value.param, caught.value.code) == (f"{place}.{NUMBER}", "unknown_field")


def test_what_is_known_passes() -> None:
    request = pb.CompletionRequest(model="m", logit_bias={"a": 1.0}, stream_options=pb.StreamOptions())
    refuse_unknown_fields(request)
    refuse_unknown_fields(pb.ScoreRequest(input=["a" * 100] * 1000))
    refuse_unknown_fields(pb.LimitsRequest())


def test_in_a_large_message_one_is_found_and_very_many_are_only_counted() -> None:
    large = pb.ScoreRequest(input=["a" * 100] * 1000)
    with pytest.raises(InvalidRequest, match=f"unknown field {NUMBER} in ScoreRequest"):
        refuse_unknown_fields(with_unknown(large))
    with pytest.raises(InvalidRequest, match=r"^300000 bytes of unknown fields in ScoreRequest$"):
        refuse_unknown_fields(pb.ScoreRequest.FromString(UNKNOWN * 100_000))


def test_a_lenient_server_passes_over_them(lenient: LiveServer) -> None:
    score = with_unknown(pb.ScoreRequest(model="tiny", input=["a"]))
    infer = with_unknown(oip.ModelInferRequest(model_name="tiny", inputs=[with_unknown(TENSOR)]))
    infer.parameters["none"].bool_param = True
    infer.inputs[0].parameters["none"].bool_param = True
    load = oip.RepositoryModelLoadRequest(model_name="tiny")
    load.parameters["none"].bool_param = True
    with lenient.stub() as stub, grpc.insecure_channel(lenient.grpc_address) as channel:
        assert stub.Score(score).data
        assert [answer.data[0].index for answer in stub.ScoreStream(iter([score]))] == [0]
        v2 = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert v2.ModelInfer(infer).outputs
        assert [answer.error_message for answer in v2.ModelStreamInfer(iter([infer]))] == [""]
        v2.RepositoryModelLoad(load)


def test_services_that_are_not_ours_are_left_alone(server: LiveServer) -> None:
    check = with_unknown(health_pb2.HealthCheckRequest())
    with grpc.insecure_channel(server.grpc_address) as channel:
        path = "/grpc.health.v1.Health/Check"
        answer = channel.unary_unary(path)(check.SerializeToString(), timeout=30)
    assert health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING
