"""Whatever bytes come, they are tensors or an error of ours; tensors come back as they went."""

import json
from contextlib import suppress

import numpy as np
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from nextchar.errors import InvalidRequest
from nextchar.pb import inference_pb2 as pb
from nextchar.rest.oip_body import read_request
from nextchar.rpc.oip_messages import to_request
from nextchar.service.oip.tensors import OUTPUTS, Tensor, from_list, from_raw, to_list, to_raw

_names = st.sampled_from(["text", "token_ids", "log_probs", ""])
_datatypes = st.sampled_from(["BYTES", "INT64", "FP64", "FP32", ""])
_shapes = st.lists(st.integers(-2, 2**40) | st.integers(0, 3), max_size=3)
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
_data = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
_parameters = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "sequence_id", "timeout", "x"]), _leaves, max_size=2
)
_tensors = st.fixed_dictionaries(
    {"name": _names, "datatype": _datatypes, "shape": _shapes},
    optional={"data": _data, "parameters": _parameters},
)
_bodies = st.fixed_dictionaries(
    {"inputs": st.lists(_tensors, max_size=2)},
    optional={"parameters": _parameters, "outputs": st.lists(_tensors, max_size=1), "id": _leaves},
)


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_bytes_come_back(elements: list[bytes]) -> None:
    raw = to_raw(Tensor("text", "BYTES", (len(elements),), elements))
    assert from_raw("text", "BYTES", [len(elements)], raw).values == elements


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9))
def test_numbers_come_back(numbers: list[int]) -> None:
    shape = [1, len(numbers)]
    listed = from_list("token_ids", "INT64", shape, [numbers])
    assert to_list(from_raw("token_ids", "INT64", shape, to_raw(listed))) == numbers
    doubles = np.array(numbers, dtype=np.float64)
    raw = to_raw(Tensor("score", OUTPUTS["score"], doubles.shape, doubles))
    assert (np.frombuffer(raw, "<f8") == doubles).all()


def test_lists_nested_deep_are_flat() -> None:
    data: list = ["a"]
    for _ in range(100_000):
        data = [data]
    assert from_list("text", "BYTES", [1], data).values == [b"a"]
    while data and isinstance(data[0], list):  # let go of it piece by piece
        (data,) = data


@settings(max_examples=150)
@given(_bodies, st.binary(max_size=20), st.none() | st.integers(0, 400).map(str) | st.text(max_size=3))
def test_bodies_are_requests_or_refused(body: dict, tail: bytes, length: str | None) -> None:
    head = json.dumps(body).encode()
    for header in (length, str(len(head))):
        with suppress(InvalidRequest):
            read_request(head + tail, header, "tiny", "")


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_bytes_of_a_message_are_a_request_or_refused(raw: bytes) -> None:
    with suppress(DecodeError, InvalidRequest):
        to_request(pb.ModelInferRequest.FromString(raw))


@settings(max_examples=150)
@given(_names, _datatypes, _shapes, st.binary(max_size=40))
def test_raw_contents_are_a_tensor_or_refused(name: str, datatype: str, shape: list[int], raw: bytes) -> None:
    with suppress(InvalidRequest):
        tensor = from_raw(name, datatype, shape, raw)
        assert len(tensor.values) == np.prod(shape, dtype=int)
