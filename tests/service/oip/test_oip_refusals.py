"""The use case of tensors refuses by code, field and limit what it cannot answer."""

from typing import Any

import numpy as np
import pytest
from support.in_process import InProcess
from support.tensors_in_process import ids as _ids
from support.tensors_in_process import infer as _infer
from support.tensors_in_process import text as _text

from nextchar.errors import NextcharError
from nextchar.service.oip.inference import MAX_BATCH
from nextchar.service.oip.tensors import Tensor

_SEQUENCE = {"sequence_id": 5, "sequence_start": True}
_NEEDS_ID = "sequence_id must be neither 0 nor empty when sequence_start or sequence_end is set"
_AN_ID = "sequence_id must be letters, digits, '.', '_' or '-', up to 118 together with the model's name"
_REFUSALS: list[tuple[list[Tensor], dict[str, Any], str, str, str]] = [
    (
        [_text(b"a")],
        {"outputs": ("score", "x" * 50)},
        "invalid_value",
        "outputs",
        f"unknown output {'x' * 40!r}; the outputs are: log_probs, next, next_id, score",
    ),
    ([], {}, "invalid_value", "inputs", "inputs must be either text or token_ids (it has 0 tensors)"),
    (
        [_text(b"a"), _ids([[1]])],
        {},
        "invalid_value",
        "inputs",
        "inputs must be either text or token_ids (it has 2 tensors)",
    ),
    (
        [_text(b"a", b"b", shape=(1, 2))],
        {},
        "invalid_value",
        "text",
        "input text must have shape [n] (it has [1, 2])",
    ),
    (
        [_text(b"a", shape=(1, 1, 1))],
        {},
        "invalid_value",
        "text",
        "input text must have shape [n] (it has [1, 1, 1])",
    ),
    (
        [Tensor("token_ids", "INT64", (1,), np.array([1]))],
        {},
        "invalid_value",
        "token_ids",
        "input token_ids must have shape [n, t] (it has [1])",
    ),
    ([_text()], {}, "invalid_value", "text", "input text is empty; it must have at least 1 item"),
    (
        [_text(*[b"a"] * (MAX_BATCH + 1))],
        {},
        "too_many_items",
        "text",
        "text has 129 items; the limit is 128 except for score alone",
    ),
    (
        [_ids([[1]] * (MAX_BATCH + 1))],
        {"outputs": ("score",)},
        "too_many_items",
        "token_ids",
        "token_ids has 129 items; the limit is 128",
    ),
    (
        [_text(*[b"a"] * 201)],
        {"outputs": ("score",)},
        "too_many_items",
        "input",
        "input has 201 strings, the limit is 200",
    ),
    ([_text(b"a", b"b" * 11)], {}, "input_too_large", "text.1", "text.1 has 11 characters, the limit is 10"),
    (
        [_text(b"a", b"b" * 11)],
        {"outputs": ("score",)},
        "input_too_large",
        "input.1",
        "input.1 has 11 characters, the limit is 10",
    ),
    (
        [_ids([[1] * 11])],
        {},
        "input_too_large",
        "token_ids.0",
        "token_ids.0 has 11 characters, the limit is 10",
    ),
    (
        [_text(*[b"a" * 10] * 31)],
        {},
        "input_too_large",
        "input",
        "the request has 310 characters in all, the limit is 300: split it",
    ),
    ([_text(b"a", b"b\xff")], {}, "invalid_value", "text.1", "text.1 is not UTF-8: invalid start byte"),
    (
        [_text(b"\xc3", b"a")],
        {"outputs": ("score",)},
        "invalid_value",
        "text.0",
        "text.0 is not UTF-8: unexpected end of data",
    ),
    ([_text(b"a", b"B")], {"model": "refusing"}, "unknown_character", "text.1", "text.1 holds 'B' (U+0042)"),
    (
        [_ids([[0, 1], [1, 32]])],
        {},
        "invalid_value",
        "token_ids.1",
        "token_ids.1 holds 32; ids of characters are 0 to 31",
    ),
    (
        [_ids([[0], [-1]])],
        {},
        "invalid_value",
        "token_ids.1",
        "token_ids.1 holds -1; ids of characters are 0 to 31",
    ),
    (
        [_ids([[31]])],
        {"model": "refusing"},
        "invalid_value",
        "token_ids.0",
        "token_ids.0 holds 31; ids of characters are 0 to 30",
    ),
    (
        [_text(b"a")],
        {"include_end": True},
        "invalid_value",
        "include_end",
        "include_end must be false for model 'tiny'",
    ),
    ([_text(b"a")], {"model": "none"}, "model_not_found", "model", "model 'none' is not served here"),
    (
        [_text(b"a")],
        {"version": "7"},
        "model_not_found",
        "model",
        "model 'tiny' is not served in version '7' here; served versions: 1",
    ),
    ([_text(b"a")], {"sequence_start": True}, "invalid_value", "sequence_id", _NEEDS_ID),
    ([_text(b"a")], {"sequence_end": True, "sequence_id": ""}, "invalid_value", "sequence_id", _NEEDS_ID),
    (
        [_text(b"a", b"b")],
        _SEQUENCE,
        "invalid_value",
        "text",
        "text must have 1 item when sequence_id is set (it has 2)",
    ),
    (
        [_ids([[1], [2]])],
        _SEQUENCE,
        "invalid_value",
        "token_ids",
        "token_ids must have 1 item when sequence_id is set (it has 2)",
    ),
    (
        [_text(b"a")],
        {**_SEQUENCE, "include_end": True},
        "invalid_value",
        "include_end",
        "include_end must be false when sequence_id is set",
    ),
    ([_text(b"a")], {"sequence_id": "no slash/"}, "invalid_value", "sequence_id", _AN_ID),
    ([_text(b"a")], {"sequence_id": "x" * 115}, "invalid_value", "sequence_id", _AN_ID),
    (
        [_text(b"a")],
        {"sequence_id": 99},
        "session_not_found",
        "sequence_id",
        "sequence 99 of model 'tiny' is unknown: its first request must set sequence_start",
    ),
    (
        [_text(b"a")],
        {**_SEQUENCE, "version": "7"},
        "model_not_found",
        "model",
        "model 'tiny' is not served in version '7' here; served versions: 1",
    ),
]


@pytest.mark.parametrize(("inputs", "fields", "code", "param", "says"), _REFUSALS)
def test_what_cannot_be_answered_is_refused_by_its_field(
    tensors: InProcess, inputs: list[Tensor], fields: dict[str, Any], code: str, param: str, says: str
) -> None:
    with pytest.raises(NextcharError) as caught:
        _infer(tensors, *inputs, **fields)
    assert (caught.value.code, caught.value.param) == (code, param), caught.value.message
    assert caught.value.message.startswith(says)
