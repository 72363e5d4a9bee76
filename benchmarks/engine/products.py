"""Measures the roofline: the matrix products of one step by the same library, and nothing else."""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from benchmarks.engine.measure import Task
from benchmarks.engine.network import Network
from nextchar_training.export.builder import IR_VERSION, OPSET

_STEPS = 16


def int8_products(network: Network, num_lanes: int) -> Task:
    """Multiplies uint8 × int8 → int32, exact, unscaled."""
    return _products(network, num_lanes, "MatMulInteger", np.uint8, np.int8)


def float32_products(network: Network, num_lanes: int) -> Task:
    return _products(network, num_lanes, "MatMul", np.float32, np.float32)


def _products(network: Network, num_lanes: int, operator: str, a: type, b: type) -> Task:
    rng = np.random.default_rng(0)
    runs = []
    for k, n in product_shapes(network):
        session = _session(operator, rng.integers(-100, 100, (k, n)).astype(b))
        x = rng.integers(0, 200, (num_lanes, k)).astype(a)
        runs.append(_bound(session, x, n))

    def work() -> int:
        for _ in range(_STEPS):
            for session, binding in runs:
                session.run_with_iobinding(binding)
        return _STEPS * num_lanes

    return work


def product_shapes(network: Network) -> list[tuple[int, int]]:
    """Returns [in, out] of each product: the first layer's input is a table, the others read both inputs."""
    hidden = network.hidden_size
    upper = [(2 * hidden, 4 * hidden)] * (network.num_layers - 1)
    return [(hidden, 4 * hidden), *upper, (hidden, network.vocabulary.num_outputs)]


def _session(operator: str, weight: NDArray[np.generic]) -> ort.InferenceSession:
    inputs = ["x", "w"]
    integer = operator == "MatMulInteger"
    constants = [helper.make_tensor("w", _onnx_type(weight.dtype), weight.shape, weight.tobytes(), raw=True)]
    if integer:
        inputs.append("zero")
        constants.append(helper.make_tensor("zero", TensorProto.UINT8, [], [128]))
    a = helper.make_tensor_value_info(
        "x", TensorProto.UINT8 if integer else TensorProto.FLOAT, ["n", weight.shape[0]]
    )
    y = helper.make_tensor_value_info(
        "y", TensorProto.INT32 if integer else TensorProto.FLOAT, ["n", weight.shape[1]]
    )
    graph = helper.make_graph([helper.make_node(operator, inputs, ["y"])], "product", [a], [y], constants)
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _bound(
    session: ort.InferenceSession, x: NDArray[np.generic], num_columns: int
) -> tuple[ort.InferenceSession, ort.IOBinding]:
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    out = ort.OrtValue.ortvalue_from_shape_and_type(
        [len(x), num_columns], np.int32 if x.dtype == np.uint8 else np.float32, "cpu", 0
    )
    binding.bind_ortvalue_output("y", out)
    return session, binding


def _onnx_type(dtype: np.dtype[np.generic]) -> int:
    return int(helper.np_dtype_to_tensor_dtype(dtype))
