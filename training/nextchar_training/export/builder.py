"""Builds ONNX models with `onnx.helper`, node by node, by the names of tensors."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nextchar.model.card import CARD_KEY, Card

OPSET = 17
IR_VERSION = 9  # the oldest that opset 17 and the contributed operators need: any runtime since 2022 reads it
_CONTRIB = "com.microsoft"
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}

Shape = list[int | str]


class GraphBuilder:
    """Collects nodes, constants, inputs and outputs in order; `build` serialises them as a model.

    A builder can also be the body of a Loop or a branch of an If in another builder; it then reads the names
    of the graphs around it.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._contrib = False

    def input(self, name: str, type_name: str, shape: Shape | None) -> str:
        """Adds an input of the graph; returns its name."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[type_name], shape))
        return name

    def output(self, name: str, type_name: str, shape: Shape | None) -> None:
        """Declares the tensor of this name an output of the graph."""
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[type_name], shape))

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """Adds a named initializer; a name that is there already keeps its first value."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Adds a standard operator with one output; returns the output's name."""
        self.nodes(operator, inputs, [output], **attributes)
        return output

    def nodes(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """Adds a standard operator with several outputs; an attribute may be a builder, the body of it."""
        bodies = {name: value for name, value in attributes.items() if isinstance(value, GraphBuilder)}
        for name, body in bodies.items():
            attributes[name] = body._graph(f"{outputs[0]}_{name}")
            self._contrib |= body._contrib
        self._nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **attributes))
        return outputs

    def cast(self, x: str, type_name: str, output: str) -> str:
        """Adds a cast to a type."""
        return self.node("Cast", [x], output, to=_TYPES[type_name])

    def contrib(self, operator: str, inputs: list[str], output: str) -> str:
        """Adds one of onnxruntime's contributed operators."""
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=_CONTRIB))
        self._contrib = True
        return output

    def _graph(self, name: str) -> onnx.GraphProto:
        return helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._constants.values())
        )

    def build(self, name: str, card: Card) -> bytes:
        """Returns the bytes of the model, with a card in its metadata."""
        graph = self._graph(name)
        opsets = [helper.make_opsetid("", OPSET)]
        if self._contrib:
            opsets.append(helper.make_opsetid(_CONTRIB, 1))
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="nextchar"
        )
        helper.set_model_props(model, {CARD_KEY: card.to_json()})
        return bytes(model.SerializeToString(deterministic=True))
