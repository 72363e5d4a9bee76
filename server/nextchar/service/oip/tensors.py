"""Validates input tensors of the Open Inference Protocol and serialises output tensors."""

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import InvalidRequest
from nextchar.schemas.integer import whole

INPUTS = {"text": "BYTES", "token_ids": "INT64"}
OUTPUTS = {"log_probs": "FP64", "next": "BYTES", "next_id": "INT64", "score": "FP64"}

_DTYPES = {"INT64": np.dtype("<i8"), "FP64": np.dtype("<f8")}
_LENGTH_BYTES = 4  # before each element of BYTES
_MAX_RANK = 2
_MAX_SIZE = 2**31
MAX_TEXTS = 65_536  # in one tensor; a request's own limit is lower


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor with its elements row by row: bytes, int64 or float64 for BYTES, INT64 and FP64."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[bytes] | NDArray[Any]


def check_header(name: str, datatype: str, shape: Sequence[int]) -> int:
    """Validates the name, datatype and shape of an input and returns its number of elements.

    Raises:
        InvalidRequest: one of them is not valid.
    """
    if name not in INPUTS:
        raise InvalidRequest(
            f"unknown input {name[:40]!r}; the inputs are: {', '.join(INPUTS)}", param="inputs"
        )
    if datatype != INPUTS[name]:
        raise InvalidRequest(
            f"input {name} must have datatype {INPUTS[name]} (it has {datatype[:40]!r})", param=name
        )
    if len(shape) > _MAX_RANK or any(not 0 <= size < _MAX_SIZE for size in shape):
        raise InvalidRequest(
            f"input {name} must have shape [n] for text or [n, t] for token_ids (it has {list(shape)[:8]})",
            param=name,
        )
    size = math.prod(shape)
    if datatype == "BYTES" and size > MAX_TEXTS:
        raise InvalidRequest(
            f"input {name} has {size} elements; the limit is {MAX_TEXTS}", param=name, code="too_many_items"
        )
    return size


def from_list(name: str, datatype: str, shape: Sequence[int], data: Sequence[Any]) -> Tensor:
    """Makes an input of a list of elements, nested or flat; BYTES are strings or bytes.

    Raises:
        InvalidRequest: it is not an input of the model, or the elements do not match its datatype and shape.
    """
    size = check_header(name, datatype, shape)
    values = list(_flat(data))
    _check_size(name, shape, size, len(values))
    if datatype == "BYTES":
        return Tensor(
            name, datatype, tuple(shape), [_as_bytes(value, name, i) for i, value in enumerate(values)]
        )
    if float in map(type, values):  # JSON has one kind of number: 1.0 is 1
        values = list(map(whole, values))
    if set(map(type, values)) - {int} or (values and not -(2**63) <= min(values) <= max(values) < 2**63):
        wrong = next(i for i, v in enumerate(values) if type(v) is not int or not -(2**63) <= v < 2**63)
        raise InvalidRequest(f"input {name}: element {wrong} must be an INT64", param=name)
    return Tensor(name, datatype, tuple(shape), np.array(values, dtype=np.int64))


def from_raw(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> Tensor:
    """Makes an input of little-endian bytes; raises as `from_list`."""
    size = check_header(name, datatype, shape)
    if datatype == "BYTES":
        elements = _split(name, raw, size)
        _check_size(name, shape, size, len(elements))
        return Tensor(name, datatype, tuple(shape), elements)
    width = _DTYPES[datatype].itemsize
    if len(raw) != size * width:
        raise InvalidRequest(
            f"input {name} must have {size * width} bytes for {datatype} of shape {list(shape)} "
            f"(it has {len(raw)})",
            param=name,
        )
    return Tensor(name, datatype, tuple(shape), np.frombuffer(raw, _DTYPES[datatype]).astype(np.int64))


def decoded(tensor: Tensor, content_type: str | None) -> Tensor:
    """Returns an input as its elements are meant: `base64` is decoded, other types of content say nothing.

    Raises:
        InvalidRequest: an element is no base64.
    """
    if content_type != "base64" or not isinstance(tensor.values, list):
        return tensor
    values = []
    for i, value in enumerate(tensor.values):
        try:
            values.append(base64.b64decode(value, validate=True))
        except binascii.Error as error:
            raise InvalidRequest(
                f"input {tensor.name}: element {i} is not base64, which its content_type says: {error}",
                param=tensor.name,
            ) from None
    return replace(tensor, values=values)


def to_raw(tensor: Tensor) -> bytes:
    """Serialises the elements as little-endian bytes."""
    if isinstance(tensor.values, list):
        return b"".join(len(value).to_bytes(_LENGTH_BYTES, "little") + value for value in tensor.values)
    return tensor.values.astype(_DTYPES[tensor.datatype]).tobytes()


def to_list(tensor: Tensor) -> list[Any]:
    """Returns the elements for JSON, flat; bytes that are not UTF-8 are replaced."""
    if isinstance(tensor.values, list):
        return [value.decode("utf-8", "replace") for value in tensor.values]
    values: list[Any] = tensor.values.ravel().tolist()
    return values


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    """Yields the elements of nested lists; a loop, so that any depth is fine."""
    if not {list, tuple} & set(map(type, data)):
        yield from data
        return
    nested = [iter(data)]
    while nested:
        for value in nested[-1]:
            if isinstance(value, list | tuple):
                nested.append(iter(value))
                break
            yield value
        else:
            nested.pop()


def _check_size(name: str, shape: Sequence[int], expected: int, found: int) -> None:
    if found != expected:
        shown = found if found < expected else f"more than {expected}"
        raise InvalidRequest(
            f"input {name} must have {expected} elements for shape {list(shape)} (it has {shown})", param=name
        )


def _as_bytes(value: Any, name: str, index: int) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidRequest(f"input {name}: element {index} must be a string", param=name)
    return value.encode("utf-8", "surrogatepass")


def _split(name: str, raw: bytes, size: int) -> list[bytes]:
    """Splits BYTES into elements, each after its length; stops one element over `size`."""
    elements: list[bytes] = []
    start = 0
    while start < len(raw) and len(elements) <= size:
        end = start + _LENGTH_BYTES
        length = int.from_bytes(raw[start:end], "little")
        if end > len(raw) or end + length > len(raw):
            raise InvalidRequest(
                f"input {name}: element {len(elements)} is longer than the bytes that are left", param=name
            )
        elements.append(raw[end : end + length])
        start = end + length
    return elements
