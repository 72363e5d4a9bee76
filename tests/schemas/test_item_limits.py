"""What a body or a message holds is counted on its bytes, before any of it is built."""

import json
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas import item_limits as counting
from nextchar.schemas.item_limits import ItemLimits, item_limits
from nextchar.schemas.limits import Limits

SMALL = ItemLimits(max_strings=6000, max_lists=3000, max_values=12_000)
_PADDING = 20_000  # a text as short as a request usually is is not counted at all


def refused(check: Any, *given_: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check(*given_)
    assert caught.value.code == "too_many_items"
    return caught.value.message


def counted(value: Any) -> tuple[int, int, int]:
    """Counts strings with names, lists with objects, and the commas between items."""
    if isinstance(value, str):
        return 1, 0, 0
    if not isinstance(value, list | dict):
        return 0, 0, 0
    inner = [*value, *(value.values() if isinstance(value, dict) else ())]
    parts = [counted(item) for item in inner]
    return (
        sum(part[0] for part in parts),
        1 + sum(part[1] for part in parts),
        max(0, len(value) - 1) + sum(part[2] for part in parts),
    )


_texts = st.text(alphabet='a,[{"\\\n\N{SNOWMAN}', max_size=8)
_values = st.recursive(
    st.none() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_texts, inner, max_size=5),
    max_leaves=30,
)


@given(_values, st.booleans())
def test_the_items_of_a_text_are_counted_though_its_strings_look_like_items(value: Any, ascii_: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_).encode()
    assert counting._count_json(text) == counted(value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"prompt": [""] * 6000}, "the request has 6001 strings and fields, the limit is 6000"),
        ({"x" * 7 + str(k): 1 for k in range(7000)}, "has 7000 strings and fields"),
        ({"prompt": [[]] * 9000}, "has 9002 lists and objects, the limit is 3000"),
        ({"prompt": [{}] * 9000}, "has 9002 lists and objects"),
        ({"prompt": [1] * 12_002}, "has 12001 values, the limit is 12000"),
        ({"prompt": [None] * 12_002}, "has 12001 values"),
    ],
)
def test_more_than_the_limit_is_refused(body: Any, told: str) -> None:
    assert told in refused(SMALL.check_json, json.dumps(body).encode())


def test_a_request_at_its_own_limits_is_taken() -> None:
    limits = Limits()
    taken = item_limits(limits)
    bodies: list[Any] = [
        {"input": ["a,b[c{"] * limits.max_strings},
        {"prompt": [[1] * 4096] * 256},
        {"prompt": "," * 1_000_000},
        {"prompt": '"\\' * 400_000},
        {"logit_bias": dict.fromkeys(map(str, range(3000)), 1.5)},
    ]
    for body in bodies:
        taken.check_json(json.dumps(body).encode())


def test_a_short_text_is_not_counted() -> None:
    SMALL.check_json(b"[" * 16_384)


def test_what_is_no_json_is_counted_up_to_the_mistake() -> None:
    assert "lists" in refused(SMALL.check_json, b"[" * 20_000)
    assert "strings" in refused(SMALL.check_json, b'{"a":[' + b'"",' * 7000 + b"\\nonsense" * 2000)


def fields_of(message: Message) -> tuple[int, int]:
    """Counts the fields of a message and of those in it, and the numbers of packed lists."""
    num_fields = num_values = 0
    for field, value in message.ListFields():
        items = list(value) if field.is_repeated else [value]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            num_fields += 3 * len(items)  # the entry, its key and its value
            continue
        packed = field.is_repeated and field.is_packed
        num_fields += 1 if packed else len(items)
        num_values += len(items) if packed and len(items) > 1 else 0
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for item in items:
                inner = fields_of(item)
                num_fields, num_values = num_fields + inner[0], num_values + inner[1]
    return num_fields, num_values


MESSAGES = [
    pb.CompletionRequest(
        model="m", prompts=["", "a"], logit_bias={"a": 1.0, "b": 2.0}, stop_token_ids=[1, 2, 300]
    ),
    pb.CompletionRequest(
        prompt_token_ids=[pb.TokenIds(ids=[1, 2**40]), pb.TokenIds(), pb.TokenIds(ids=[5] * 9)]
    ),
    pb.ScoreRequest(input=["x"] * 5, timeout=1.5, priority=-3, state=b"\x08\x01" * 30),
    pb.SessionCall(feed=pb.FeedRequest(text="a" * 300, top=3)),
    inference_pb2.ModelInferRequest(
        inputs=[
            inference_pb2.ModelInferRequest.InferInputTensor(
                name="text",
                shape=[3],
                contents=inference_pb2.InferTensorContents(bytes_contents=[b"", b"a", b"bc"]),
            )
        ]
    ),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.DESCRIPTOR.name)
def test_the_fields_of_a_message_are_counted_at_every_depth(message: Message) -> None:
    data = message.SerializeToString()
    assert counting._count_message(data, message.DESCRIPTOR, 1000) == fields_of(message)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (pb.CompletionRequest(prompts=[""] * 9000), "strings and fields, the limit is 6000"),
        (pb.CompletionRequest(prompt_token_ids=[pb.TokenIds()] * 9000), "strings and fields"),
        (pb.DetokenizeRequest(tokens=[1] * 20_000), "has 20000 values, the limit is 12000"),
        (pb.SessionCall(score=pb.SessionScoreRequest(input=["a"] * 9000)), "strings and fields"),
    ],
)
def test_a_message_with_more_than_the_limit_is_refused(message: Message, told: str) -> None:
    assert told in refused(SMALL.check_message, message.SerializeToString(), message.DESCRIPTOR)


def test_fields_that_a_message_does_not_have_count_too() -> None:
    assert "strings and fields" in refused(
        SMALL.check_message, b"\xf8\x07\x01" * 9000, pb.NextRequest.DESCRIPTOR
    )


@given(st.binary(max_size=300), st.sampled_from(MESSAGES))
def test_any_bytes_are_counted_or_left_to_protobuf(data: bytes, message: Message) -> None:
    counting._count_message(data, message.DESCRIPTOR, 1000)
