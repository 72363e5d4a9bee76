"""What is fuzzed: functions that take any bytes and may only refuse them by one of our errors.

Nothing here needs torch, so that an instrumented interpreter may run it. A target that raises anything else
has found something.
"""

import struct
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from google.protobuf.message import DecodeError, Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest, ModelFileError, NextcharError, StateInvalid, StateModelMismatch
from nextchar.model.card import parse_card
from nextchar.model.golden import check_golden
from nextchar.model.graph import graph_from_bytes
from nextchar.model.judging.card import parse_judge
from nextchar.model.judging.judge import Judge
from nextchar.model.onnx_screen import screened
from nextchar.pb import inference_pb2
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rest.oip_body import read_request
from nextchar.rpc.oip_messages import to_request
from nextchar.rpc.unknown_fields import refuse_unknown_fields
from nextchar.schemas.base import validated
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.judging import JudgeRequest
from nextchar.schemas.protobuf import to_fields
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ForkRequest,
    ListSessionsRequest,
    RenewRequest,
    RewindRequest,
    SampleRequest,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest
from nextchar.service.oip.schemas import GenerateRequest
from nextchar.service.sessions.codec import StateCodec

KEY, OWNER, DIGEST = b"k" * 32, "owner", "d" * 64
SHAPES = {"c_0": (np.dtype(np.float32), 4), "h_0": (np.dtype(np.uint8), 4)}
SCHEMAS: tuple[type[BaseModel], ...] = (
    *(ScoreRequest, NextRequest, CompletionRequest, CreateSessionRequest, FeedRequest, SampleRequest),
    *(SessionNextRequest, SessionScoreRequest, CheckpointRequest, RewindRequest, ListSessionsRequest),
    *(ForkRequest, RenewRequest, GenerateRequest, CompareRequest, InspectRequest, JudgeRequest),
    *(TokenizeRequest, DetokenizeRequest),
)
MESSAGES: tuple[tuple[type[Message], type[BaseModel]], ...] = tuple(
    (getattr(pb, schema.__name__), schema) for schema in SCHEMAS if hasattr(pb, schema.__name__)
)
_CODEC = StateCodec(KEY)
_JUDGED = ["ab", "", "a.b-" * 20]


def model_card(data: bytes) -> None:
    """A model file up to onnxruntime: its screen and its card."""
    with suppress(ModelFileError):
        parse_card(screened(data, path="x"), path="x")


def model_file(data: bytes) -> None:
    """A model file through onnxruntime, where it gets that far."""
    with suppress(ModelFileError):
        check_golden(graph_from_bytes(data, shown="x"), shown="x")


def card_text(data: bytes) -> None:
    """The JSON of a card."""
    with suppress(ModelFileError):
        parse_card({"nextchar": data.decode("utf-8", "replace")}, path="x")


def judge_text(data: bytes) -> None:
    """The JSON of a judge; one that is taken judges."""
    with suppress(ModelFileError, InvalidRequest):
        judge = Judge(parse_judge(data, shown="x").model_copy(update={"references": None}))
        ends = judge.vocabulary.end_id is not None
        logprobs = [np.full(len(judge.vocabulary.normalize(text)) + ends, -1.5) for text in _JUDGED]
        found = judge.verdicts(_JUDGED, logprobs)
        assert np.isfinite(found.score).all()
        assert ((found.low <= found.p_value) & (found.p_value <= found.high)).all()


def state(data: bytes) -> None:
    """The bytes of a session's state."""
    with suppress(StateInvalid, StateModelMismatch):
        _CODEC.open(data, owner=OWNER, digest=DIGEST, shapes=SHAPES)


def body(data: bytes) -> None:
    """A JSON body; the first byte says of which call."""
    schema = SCHEMAS[data[0] % len(SCHEMAS)] if data else ScoreRequest
    with suppress(InvalidRequest):
        validated(lambda: schema.model_validate_json(data[1:]))


def message(data: bytes) -> None:
    """A protobuf message; the first byte says of which call."""
    kind, schema = MESSAGES[data[0] % len(MESSAGES)] if data else MESSAGES[0]
    with suppress(DecodeError, InvalidRequest):
        parsed = kind.FromString(data[1:])
        refuse_unknown_fields(parsed)
        validated(lambda: schema.model_validate(to_fields(parsed)))


def infer_message(data: bytes) -> None:
    """An infer request of the Open Inference Protocol as a message."""
    with suppress(DecodeError, NextcharError):
        request = inference_pb2.ModelInferRequest.FromString(data)
        refuse_unknown_fields(request)
        to_request(request)


def infer_body(data: bytes) -> None:
    """The same as a body; its first two bytes say how much of the rest is JSON."""
    (length,) = struct.unpack("<H", data[:2].ljust(2, b"\0"))
    with suppress(NextcharError):
        read_request(data[2:], str(length) if length else None, "m", "1")


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        model_card,
        model_file,
        card_text,
        judge_text,
        state,
        body,
        message,
        infer_message,
        infer_body,
    )
}
