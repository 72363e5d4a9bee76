"""Computes the gates of a cell from states and symbols, with the operators of the served step graph itself.

A step graph computes its gates and shows none of them: as outputs of its loop they would cost every step. So
the part of its body that leads from the states and symbols to the gates is taken out as a graph of its own,
which is opened when gates are first asked for. Its numbers are those of the graph that serves, int8 included,
and files need nothing that they do not have. Rows do not mix, so one call reads a whole text: its rows are
the states before each character, and the character.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card, Cell
from nextchar.model.runtime import open_session, ort
from nextchar.model.vocabulary import Ids
from nextchar.pb import onnx_part_pb2 as onnx

GateName = Literal["input", "forget", "output", "reset", "update"]

_FLOAT32 = 1  # ONNX's number of the type

# The tensor of each gate in a step graph, by layer, as the cells of training name them (`network/cells`).
GATE_TENSORS: dict[Cell, dict[GateName, str]] = {
    "rnn_tanh": {},
    "rnn_relu": {},
    "lstm": {"input": "gates_{}_0_open", "forget": "gates_{}_1_open", "output": "gates_{}_2_open"},
    "lstm_coupled": {"forget": "gates_{}_0_open", "output": "gates_{}_1_open"},
    "gru": {"reset": "open_{}_0", "update": "open_{}_1"},
    "gru_reset_first": {"reset": "open_{}_0", "update": "open_{}_1"},
}


@dataclass(frozen=True)
class GateGraph:
    """Holds the opened part of a step graph that computes its gates. Safe to share between threads."""

    card: Card
    session: ort.InferenceSession

    def run(
        self, ids: Ids, states: Mapping[str, NDArray[np.generic]], gates: list[tuple[int, GateName]]
    ) -> list[NDArray[np.float32]]:
        """Returns gates by layer and name, each [rows, units] in 0 … 1, while symbols ids [rows] are read.

        `states` by input name, each [rows, units], are those before the symbols.
        """
        wanted = [GATE_TENSORS[self.card.cell][gate].format(layer) for layer, gate in gates]
        read = {f"{name}_before": array for name, array in states.items()} | {"ids_before": ids}
        inputs = {tensor.name: read[tensor.name] for tensor in self.session.get_inputs()}
        found: list[NDArray[np.float32]] = self.session.run(wanted, inputs)
        return found


def open_gates(content: bytes, card: Card) -> GateGraph:
    """Opens the gates of a step graph of a cell that has some, given bytes that `open_graph` has accepted.

    Raises:
        InvalidRequest: the file does not name the gates as exports do.
    """
    model = onnx.Model()
    model.ParseFromString(content)
    bodies = [
        attribute.g
        for node in model.graph.node
        if node.op_type == "Loop"
        for attribute in node.attribute
        if attribute.HasField("g")
    ]
    tensors = GATE_TENSORS[card.cell].values()
    num_layers = 1 + max(int(name.rpartition("_")[2]) for name in card.states)
    wanted = [tensor.format(layer) for layer in range(num_layers) for tensor in tensors]
    assert wanted, f"a {card.cell} has no gates"
    body = next((body for body in bodies if _made(body).issuperset(wanted)), None)
    if body is None:
        raise InvalidRequest(
            "gates cannot be returned: the model's file does not name them; export the model again",
            param="gates",
        )
    _keep(model.graph, body, wanted)
    del model.metadata_props[:]
    return GateGraph(card, open_session(model.SerializeToString()))


def _made(body: onnx.Graph) -> set[str]:
    return {name for node in body.node for name in node.output}


def _keep(graph: onnx.Graph, body: onnx.Graph, wanted: list[str]) -> None:
    """Makes of a graph the part of the loop's body that its `wanted` tensors need, with them as outputs."""
    needed, nodes = set(wanted), []
    for node in reversed(body.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    constants = [tensor for tensor in (*graph.initializer, *body.initializer) if tensor.name in needed]
    outputs = [onnx.ValueInfo(name=name) for name in wanted]
    for output in outputs:
        output.type.tensor_type.elem_type = _FLOAT32
    part = onnx.Graph(
        name="gates",
        node=reversed(nodes),
        initializer=constants,
        input=[value for value in body.input if value.name in needed],
        output=outputs,
    )
    graph.CopyFrom(part)
