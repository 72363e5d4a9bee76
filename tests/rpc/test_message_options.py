"""Every method whose messages have options gives them to the context of the request before work begins."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from support.live_server import LiveServer
from support.observed import observed
from support.oip_client import message as tensors
from support.rpc_answers import details

from nextchar.pb import inference_pb2_grpc, nextchar_pb2_grpc
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.method import RpcMethod
from nextchar.rpc.methods import rpc_methods

SECONDS, PRIORITY = 7.0, 5
OPTIONS: dict[str, Any] = {"timeout": SECONDS, "priority": PRIORITY}
GIVEN = (pytest.approx(SECONDS), PRIORITY)
NOW = {"timeout": 1e-6}
# The required fields of each message that has options; a new one needs a row here.
MESSAGES: dict[str, dict[str, Any]] = {
    "ScoreRequest": {"model": "tiny", "input": ["a"]},
    "CompareRequest": {"model": "tiny", "input": ["a", "b"]},
    "JudgeRequest": {"judge": "words", "input": ["a"]},
    "NextRequest": {"model": "tiny", "input": "a"},
    "CompletionRequest": {"model": "tiny", "max_tokens": 1},
    "TokenizeRequest": {"model": "tiny", "prompt": "a"},
    "DetokenizeRequest": {"model": "tiny", "tokens": [1]},
    "InspectRequest": {"model": "tiny", "input": "a"},
    "CreateSessionRequest": {"model": "tiny"},
    "FeedRequest": {"text": "a"},
    "SessionNextRequest": {},
    "SessionScoreRequest": {"input": ["a"]},
    "SampleRequest": {"max_tokens": 1},
    "RewindRequest": {"num_chars": 0},
}


@pytest.fixture(scope="module")
def channel(server: LiveServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield channel


@pytest.fixture
def session(server: LiveServer) -> str:
    found: str = server.post("/v1/sessions", {"model": "tiny", "prime": "ab"}).json()["session_id"]
    return found


def methods(server: LiveServer) -> list[RpcMethod]:
    return rpc_methods(server.app.service, RpcHandler(server.app.service.metrics, request_timeout_seconds=1))


def has_options(message_type: type[Message]) -> bool:
    return {"timeout", "priority"} <= set(message_type.DESCRIPTOR.fields_by_name)


def message_of(message_type: Any, session: str, **options: Any) -> Message:
    fields = {**MESSAGES[message_type.DESCRIPTOR.name], **options}
    if message_type.DESCRIPTOR.name not in ("CompletionRequest", "CreateSessionRequest"):
        named = "session_id" in message_type.DESCRIPTOR.fields_by_name
        fields |= {"session_id": session} if named else {}
    made: Message = message_type(**fields)
    return made


def called(channel: grpc.Channel, method: RpcMethod, message: Message) -> list[Message]:
    """All answers to one message."""
    streams = method.descriptor.client_streaming, method.descriptor.server_streaming
    kind = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}
    call = getattr(channel, kind[streams])(
        method.path, type(message).SerializeToString, method.output_type.FromString
    )
    if not streams[1]:
        return [call(message, timeout=30)]
    return list(call(iter([message]) if streams[0] else message, timeout=30))


def test_every_method_gives_the_options_of_its_messages_to_their_context(
    server: LiveServer, channel: grpc.Channel, session: str
) -> None:
    tried = set()
    for method in methods(server):
        if has_options(method.input_type):
            with observed(server) as found:
                assert called(channel, method, message_of(method.input_type, session, **OPTIONS))
            assert [each[:2] for each in found] == [GIVEN], method.path
            tried.add(method.input_type.DESCRIPTOR.name)
    assert tried == set(MESSAGES)


def test_every_call_of_a_conversation_gives_its_options_to_its_context(
    server: LiveServer, channel: grpc.Channel, session: str
) -> None:
    stub = nextchar_pb2_grpc.SessionsStub(channel)
    tried = set()
    for field in pb.SessionCall.DESCRIPTOR.fields:
        message_type = type(getattr(pb.SessionCall(), field.name))
        if has_options(message_type):
            call: Any = {field.name: message_of(message_type, session, **OPTIONS)}
            opening = (
                [pb.SessionCall(open=pb.SessionId(session_id=session))] if field.name != "create" else []
            )
            with observed(server) as found:
                assert list(stub.Converse(iter([*opening, pb.SessionCall(**call)]), timeout=30))
            assert found[-1][:2] == GIVEN, field.name
            tried.add(field.name)
    assert {"create", "feed", "next", "score", "sample", "rewind"} <= tried


def test_tensors_have_triton_s_options(server: LiveServer, channel: grpc.Channel) -> None:
    stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
    request = tensors("tiny", [b"a"], timeout=int(SECONDS * 1e6), priority=PRIORITY + 1)
    with observed(server) as found:
        assert stub.ModelInfer(request).outputs
        assert len(list(stub.ModelStreamInfer(iter([request])))) == 1
    assert [each[:2] for each in found] == [GIVEN, GIVEN]


def test_the_options_of_the_first_message_are_those_of_the_stream(
    server: LiveServer, channel: grpc.Channel
) -> None:
    stub = nextchar_pb2_grpc.NextcharStub(channel)
    messages = [pb.ScoreRequest(**MESSAGES["ScoreRequest"], **OPTIONS), pb.ScoreRequest(input=["b"])]
    with observed(server) as found:
        assert len(list(stub.ScoreStream(iter(messages), timeout=30))) == 2
    assert [each[:2] for each in found] == [GIVEN, GIVEN]


def complete_in_session(channel: grpc.Channel, session: str) -> None:
    request = pb.CompletionRequest(model="tiny", session_id=session, max_tokens=50, **NOW)
    list(nextchar_pb2_grpc.NextcharStub(channel).Complete(request))


def complete_after_a_state(channel: grpc.Channel, _session: str) -> None:
    request = pb.CompletionRequest(model="tiny", prompt="ab", return_state=True, max_tokens=50, **NOW)
    list(nextchar_pb2_grpc.NextcharStub(channel).Complete(request))


def score_stream(channel: grpc.Channel, _session: str) -> None:
    messages = [pb.ScoreRequest(model="tiny", input=["a" * 1000], **NOW)]
    list(nextchar_pb2_grpc.NextcharStub(channel).ScoreStream(iter(messages)))


def converse_create(channel: grpc.Channel, _session: str) -> None:
    call = pb.SessionCall(create=pb.CreateSessionRequest(model="tiny", prime="abc", **NOW))
    list(nextchar_pb2_grpc.SessionsStub(channel).Converse(iter([call])))


@pytest.mark.parametrize("call", [complete_in_session, complete_after_a_state, score_stream, converse_create])
def test_a_timeout_that_has_passed_ends_the_call(
    channel: grpc.Channel, session: str, call: Callable[[grpc.Channel, str], None]
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, session)
    assert details(caught.value)[0] == "deadline_exceeded"


def test_the_id_in_a_message_is_the_requests(server: LiveServer, channel: grpc.Channel) -> None:
    request = pb.CompletionRequest(model="tiny", max_tokens=1, request_id="his")
    with observed(server) as found:
        call = nextchar_pb2_grpc.NextcharStub(channel).Complete(request)
        assert {piece.id for piece in call} == {"cmpl-his"}
    assert dict(call.initial_metadata())["x-request-id"] == "his"
    assert [request_id for _, _, request_id in found] == ["his"]
