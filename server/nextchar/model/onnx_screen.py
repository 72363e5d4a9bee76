"""Screens the bytes of a model file before onnxruntime reads them, and refuses what an export never writes.

The file is parsed with a small part of ONNX's own message definitions (`proto/nextchar/v1/onnx_part.proto`):
a field outside that part is refused, so onnxruntime reads nothing that was not checked here. Operators must
be among those that exports use; sizes, counts and depth are bounded; a tensor's declared shape must match the
bytes it brings, so a small file cannot demand a large allocation; nothing may live in another file.
"""

import math

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from nextchar.errors import ModelFileError
from nextchar.pb import onnx_part_pb2 as onnx

MAX_NODES = 4096
MAX_TENSORS = 1024
MAX_DEPTH = 4  # graphs inside graphs; an export has three
MAX_RANK = 4
MAX_CARD_BYTES = 4 * 1024 * 1024
MAX_NAME_BYTES = 512

_OPSETS = {"": 17, "com.microsoft": 1}
_OPERATORS = {
    "": frozenset(
        (
            *("Add", "Cast", "Concat", "CumSum", "GRU", "Gather", "GatherElements", "Gemm"),
            *("Identity", "If", "LSTM", "Less", "LessOrEqual", "LogSoftmax", "Loop", "MatMul"),
            *("Mul", "QuantizeLinear", "RNN", "ReduceMin", "ReduceSum", "Relu", "Sigmoid", "Softmax"),
            *("Split", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where"),
        )
    ),
    "com.microsoft": frozenset({"MatMulIntegerToFloat"}),
}
# Bytes per element by ONNX's number of its type: float32, uint8, int8, int64, bool, float64.
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 7: 8, 9: 1, 11: 8}
_PACKED = {
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def screened(content: bytes, *, path: str) -> dict[str, str]:
    """Checks that every part of a model file is of a kind and size that exports write; returns its metadata.

    Raises:
        ModelFileError: names the part that is not.
    """
    for magic, name in _PACKED.items():
        if content.startswith(magic):
            raise ModelFileError(f"{path}: is a {name} archive; unpack it: a model file is not compressed")
    model = onnx.Model()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ModelFileError(f"{path}: not an ONNX file") from error
    try:
        return _Screen().model(model)
    except _Refused as refused:
        raise ModelFileError(f"{path}: refused: {refused}") from None


class _Refused(Exception):
    pass


def _refuse_unless(sound: bool, why: str) -> None:
    if not sound:
        raise _Refused(why)


class _Screen:
    """Checks one file, counting over all its graphs."""

    def __init__(self) -> None:
        self._num_nodes = self._num_tensors = 0

    def model(self, model: onnx.Model) -> dict[str, str]:
        _check_known(model)
        _refuse_unless(not model.functions, "it defines functions of its own")
        _refuse_unless(not model.training_info, "it holds training information")
        _refuse_unless(model.HasField("graph"), "it has no graph")
        for opset in model.opset_import:
            _check_known(opset)
            known = _OPSETS.get(opset.domain)
            _refuse_unless(known is not None, f"it uses operators of the domain {_shown(opset.domain)}")
            _refuse_unless(
                opset.version == known,
                f"operator set {_shown(opset.domain)} must have version {known} (it has {opset.version})",
            )
        self._graph(model.graph, depth=1, main=True)
        return self._metadata(model)

    def _metadata(self, model: onnx.Model) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in model.metadata_props:
            _check_known(entry)
            _check_names(entry.key)
            _refuse_unless(entry.key not in found, f"its metadata has {_shown(entry.key)} twice")
            size = len(entry.value.encode())
            _refuse_unless(
                size <= MAX_CARD_BYTES, f"it has {size} bytes of metadata, the limit is {MAX_CARD_BYTES}"
            )
            found[entry.key] = entry.value
        return found

    def _graph(self, graph: onnx.Graph, *, depth: int, main: bool = False) -> None:
        _check_known(graph)
        _check_names(graph.name)
        _refuse_unless(depth <= MAX_DEPTH, f"its graphs nest deeper than the limit of {MAX_DEPTH}")
        _refuse_unless(not graph.sparse_initializer, "it holds sparse tensors")
        for tensor in graph.initializer:
            self._tensor(tensor)
        for value in (*graph.input, *graph.output):
            _value(value)
        self._num_nodes += len(graph.node)
        _refuse_unless(self._num_nodes <= MAX_NODES, f"it has more than {MAX_NODES} nodes")
        fed = {value.name for value in graph.input} if main else set()
        for node in graph.node:
            self._node(node, depth=depth, fed=fed)

    def _node(self, node: onnx.Node, *, depth: int, fed: set[str]) -> None:
        _check_known(node)
        _check_names(node.name, node.op_type, node.domain, *node.input, *node.output)
        operators = _OPERATORS.get(node.domain, frozenset())
        what = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        _refuse_unless(node.op_type in operators, f"exports do not use the operator {_shown(what)}")
        if node.op_type == "Loop":
            # Otherwise a file could make the server loop for ever.
            counted = len(node.input) >= 2 and node.input[0] in fed and not node.input[1]
            _refuse_unless(counted, "a Loop must count to an input of the whole graph, without a condition")
        for attribute in node.attribute:
            _check_known(attribute)
            _check_names(attribute.name)
            if attribute.HasField("t"):
                self._tensor(attribute.t)
            if attribute.HasField("g"):
                self._graph(attribute.g, depth=depth + 1)

    def _tensor(self, tensor: onnx.Tensor) -> None:
        _check_known(tensor)
        _check_names(tensor.name)
        shown = f"tensor {_shown(tensor.name)}"
        external = bool(tensor.external_data) or tensor.data_location != 0
        _refuse_unless(not external, f"{shown} lies in another file")
        self._num_tensors += 1
        _refuse_unless(self._num_tensors <= MAX_TENSORS, f"it has more than {MAX_TENSORS} tensors")
        item_bytes = _ITEM_BYTES.get(tensor.data_type)
        if item_bytes is None:
            raise _Refused(f"{shown} has element type {tensor.data_type}, which exports do not use")
        dims = list(tensor.dims)
        fits = len(dims) <= MAX_RANK and all(size >= 0 for size in dims)
        _refuse_unless(fits, f"{shown} has the shape {dims[: MAX_RANK + 1]}, the limit is {MAX_RANK} axes")
        size, found = math.prod(dims) * item_bytes, len(tensor.raw_data)
        _refuse_unless(size == found, f"{shown} has {found} bytes, its shape requires {size}")


def _value(value: onnx.ValueInfo) -> None:
    _check_names(value.name)
    tensor = value.type.tensor_type
    for part in (value, value.type, tensor, tensor.shape, *tensor.shape.dim):
        _check_known(part)
    _refuse_unless(
        len(tensor.shape.dim) <= MAX_RANK,
        f"{_shown(value.name)} has {len(tensor.shape.dim)} axes, the limit is {MAX_RANK}",
    )
    for size in tensor.shape.dim:
        _check_names(size.dim_param)
        _refuse_unless(0 <= size.dim_value < 2**31, f"{_shown(value.name)} has an axis of {size.dim_value}")


def _check_known(message: Message) -> None:
    """Checks that every field is of the part of ONNX that exports use."""
    for field in UnknownFieldSet(message):
        raise _Refused(f"exports do not write field {field.field_number} of ONNX's {type(message).__name__}")


def _check_names(*names: str) -> None:
    """Checks the lengths of names."""
    for name in names:
        _refuse_unless(
            len(name) <= MAX_NAME_BYTES,
            f"a name has {len(name)} characters, the limit is {MAX_NAME_BYTES}: {_shown(name)}",
        )


def _shown(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:60]}…")
