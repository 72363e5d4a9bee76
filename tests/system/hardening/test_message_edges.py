"""Every field of every message at its edges: an answer or the client's error, never INTERNAL or UNKNOWN."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from support.live_server import LiveServer

from nextchar.pb import inference_pb2
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.method import RpcMethod
from nextchar.rpc.methods import rpc_methods
from nextchar.schemas.item_limits import ItemLimits

HARMFUL = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
NUMBERS = [sign * 2**power + more for sign in (1, -1) for power in (31, 63) for more in (-1, 0, 1)]
WHOLE = sorted({0, 1, -1, 2**64 - 1, *NUMBERS})
REAL = [0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf")]
TEXTS = ["", "\0", "a\0b", "1", "-1", "\uffff", "..", "tiny:" + "9" * 5000, "x" * 2000]
BASES: dict[type[Message], dict[str, Any]] = {
    pb.ScoreRequest: {"model": "tiny", "input": ["a"]},
    pb.CompareRequest: {"model": "tiny", "input": ["a"]},
    pb.NextRequest: {"model": "tiny", "input": "a"},
    pb.CompletionRequest: {"model": "tiny", "max_tokens": 1},
    pb.TokenizeRequest: {"model": "tiny", "prompt": "a"},
    pb.DetokenizeRequest: {"model": "tiny", "tokens": [1]},
    pb.InspectRequest: {"model": "tiny", "input": "a"},
    pb.CreateSessionRequest: {"model": "tiny"},
    pb.FeedRequest: {"session_id": "edges", "text": "a"},
    pb.SampleRequest: {"session_id": "edges", "max_tokens": 1},
    pb.SessionScoreRequest: {"session_id": "edges", "input": ["a"]},
    pb.RewindRequest: {"session_id": "edges", "num_chars": 0},
    pb.CheckpointRequest: {"session_id": "edges", "name": "here"},
    inference_pb2.ModelInferRequest: {
        "model_name": "tiny",
        "inputs": [
            {"name": "text", "datatype": "BYTES", "shape": [1], "contents": {"bytes_contents": [b"a"]}}
        ],
    },
}


def edges(field: FieldDescriptor) -> list[Any]:
    """Returns values of a field's type, as far as it can hold them."""
    kind = field.cpp_type
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return REAL
    if kind in (FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_ENUM):
        return [0, 1]
    if kind == FieldDescriptor.CPPTYPE_STRING:
        texts: list[Any] = TEXTS
        return [text.encode() for text in TEXTS] if field.type == FieldDescriptor.TYPE_BYTES else texts
    bits = 32 if kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32) else 64
    signed = kind in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return [value for value in WHOLE if least <= value <= most]


def variants(message: Any) -> Iterator[Message]:
    """Yields a message with one field at an edge, for all its fields and those of the messages in it."""
    for field in message.DESCRIPTOR.fields:
        changed = type(message)()
        changed.CopyFrom(message)
        held = getattr(changed, field.name)
        if field.message_type is None:
            for value in edges(field):
                changed.CopyFrom(message)
                if field.is_repeated:
                    getattr(changed, field.name).append(value)
                else:
                    setattr(changed, field.name, value)
                yield changed
        elif field.message_type.GetOptions().map_entry:
            yield from _with_entries(message, field)
        else:
            if field.is_repeated and not held:
                held.add()
            part = held[0] if field.is_repeated else held
            start = type(part)()
            start.CopyFrom(part)
            for inner in variants(start):
                part.CopyFrom(inner)
                yield changed


def _with_entries(message: Any, field: FieldDescriptor) -> Iterator[Message]:
    value = field.message_type.fields_by_name["value"]
    for edge in edges(value) if value.message_type is None else [None]:
        for key in edges(field.message_type.fields_by_name["key"]):
            changed = type(message)()
            changed.CopyFrom(message)
            if edge is None:
                getattr(changed, field.name)[key].SetInParent()
            else:
                getattr(changed, field.name)[key] = edge
            yield changed


@pytest.fixture(scope="module")
def methods(server: LiveServer) -> list[RpcMethod]:
    service = server.app.service
    return rpc_methods(service, RpcHandler(service.metrics, ItemLimits(), request_timeout_seconds=60))


def call(channel: grpc.Channel, method: RpcMethod, message: Message) -> grpc.StatusCode:
    """Sends one message; returns the status of the call."""
    kind = method.descriptor
    shape = (
        f"{'stream' if kind.client_streaming else 'unary'}_{'stream' if kind.server_streaming else 'unary'}"
    )
    send = getattr(channel, shape)(
        method.path,
        request_serializer=method.input_type.SerializeToString,
        response_deserializer=method.output_type.FromString,
    )
    try:
        answer = send(iter([message]) if kind.client_streaming else message, timeout=60)
        if kind.server_streaming:
            list(answer)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def test_every_value_of_every_message_is_taken_or_refused(
    server: LiveServer, methods: list[RpcMethod]
) -> None:
    server.post("/v1/sessions", {"model": "tiny", "session_id": "edges"})
    with grpc.insecure_channel(server.grpc_address) as channel:
        for method in methods:
            if method.name.startswith("Repository"):
                continue
            start = method.input_type(**BASES.get(method.input_type, {}))
            for message in variants(start):
                code = call(channel, method, message)
                assert code not in HARMFUL, (method.name, str(message)[:500])
    assert server.get("/v2/health/ready").status_code == 200
    assert server.post("/v1/score", {"model": "tiny", "input": ["a"]}).status_code == 200
