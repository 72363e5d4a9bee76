"""Tensors of the Open Inference Protocol: checked on the way in, laid out on the way out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import InvalidRequest

INPUTS = {"text": "BYTES", "token_ids": "INT64"}
OUTPUTS = {"log_probs": "FP64", "next": "BYTES", "next_id": "INT64", "score": "FP64"}

_DTYPES = {"INT64": np.dtype("<i8"), "FP64": np.dtype("<f8")}
_LENGTH_BYTES = 4  # before each element of BYTES
_MAX_RANK = 2
_MAX_SIZE = 2**31
MAX_TEXTS = 65_536  # in one tensor; a request's own limit is lower


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """Elements row by row: bytes, int64 or float64, as `datatype` (BYTES, INT64, FP64) says."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[bytes] | NDArray[Any]


def check_header(name: str, datatype: str, shape: Sequence[int]) -> int:
    """How many elements an input of that name, datatype and shape has.

    Raises:
        InvalidRequest: there is no such input.
    """
    if name not in INPUTS:
        raise InvalidRequest(
            f"there is no input {name[:40]!r}; there is: {', '.join(INPUTS)}", param="inputs"
        )
    if datatype != INPUTS[name]:
        raise InvalidRequest(
            f"input {name} is {INPUTS[name]}, the request says {datatype[:40]!r}", param=name
        )
    if len(shape) > _MAX_RANK or any(not 0 <= size < _MAX_SIZE for size in shape):
        raise InvalidRequest(
            f"input {name}: shape {list(shape)[:8]} cannot be; it is [n] for text, [n, t] for token_ids",
            param=name,
        )
    size = math.prod(shape)
    if datatype == "BYTES" and size > MAX_TEXTS:
        raise InvalidRequest(
            f"input {name} has {size} elements, the limit is {MAX_TEXTS}", param=name, code="too_many_items"
        )
    return size


def from_list(name: str, datatype: str, shape: Sequence[int], data: Sequence[Any]) -> Tensor:
    """An input whose elements are listed, nested or flat; BYTES as strings or bytes.

    Raises:
        InvalidRequest: it is no input, or the elements are not those of its datatype and shape.
    """
    size = check_header(name, datatype, shape)
    values = list(_flat(data))
    _check_size(name, shape, size, len(values))
    if datatype == "BYTES":
        return Tensor(
            name, datatype, tuple(shape), [_as_bytes(value, name, i) for i, value in enumerate(values)]
        )
    for i, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
            raise InvalidRequest(f"input {name}: element {i} is no INT64", param=name)
    return Tensor(name, datatype, tuple(shape), np.array(values, dtype=np.int64))


def from_raw(name: str, datatype: str, shape: Sequence[int], raw: bytes) -> Tensor:
    """An input as little-endian bytes; raises as `from_list`."""
    size = check_header(name, datatype, shape)
    if datatype == "BYTES":
        elements = _split(name, raw, size)
        _check_size(name, shape, size, len(elements))
        return Tensor(name, datatype, tuple(shape), elements)
    width = _DTYPES[datatype].itemsize
    if len(raw) != size * width:
        raise InvalidRequest(
            f"input {name} has {len(raw)} bytes; {datatype} of shape {list(shape)} has {size * width}",
            param=name,
        )
    return Tensor(name, datatype, tuple(shape), np.frombuffer(raw, _DTYPES[datatype]).astype(np.int64))


def to_raw(tensor: Tensor) -> bytes:
    """The elements as little-endian bytes."""
    if isinstance(tensor.values, list):
        return b"".join(len(value).to_bytes(_LENGTH_BYTES, "little") + value for value in tensor.values)
    return tensor.values.astype(_DTYPES[tensor.datatype]).tobytes()


def to_list(tensor: Tensor) -> list[Any]:
    """The elements for JSON, flat; what is no UTF-8 in BYTES is replaced."""
    if isinstance(tensor.values, list):
        return [value.decode("utf-8", "replace") for value in tensor.values]
    values: list[Any] = tensor.values.ravel().tolist()
    return values


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    """The elements of nested lists; a loop, so that depth is no matter."""
    waiting = [iter(data)]
    while waiting:
        for value in waiting[-1]:
            if isinstance(value, list | tuple):
                waiting.append(iter(value))
                break
            yield value
        else:
            waiting.pop()


def _check_size(name: str, shape: Sequence[int], expected: int, found: int) -> None:
    if found != expected:
        shown = found if found < expected else f"more than {expected}"
        raise InvalidRequest(
            f"input {name} has {shown} elements; shape {list(shape)} has {expected}", param=name
        )


def _as_bytes(value: Any, name: str, index: int) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise InvalidRequest(f"input {name}: element {index} is no string", param=name)
    return value.encode("utf-8", "surrogatepass")


def _split(name: str, raw: bytes, size: int) -> list[bytes]:
    """The elements of BYTES, each after its length; of more than there may be, one more."""
    elements: list[bytes] = []
    start = 0
    while start < len(raw) and len(elements) <= size:
        end = start + _LENGTH_BYTES
        length = int.from_bytes(raw[start:end], "little")
        if end > len(raw) or end + length > len(raw):
            raise InvalidRequest(f"input {name}: element {len(elements)} ends after the bytes do", param=name)
        elements.append(raw[end : end + length])
        start = end + length
    return elements
