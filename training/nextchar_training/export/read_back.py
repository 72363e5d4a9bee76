"""Reads the network back from an exported `model.onnx`, to adapt or analyse it."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar.model.graph import open_graph
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.network.weights import Array, collapse_gates, reorder_gates


def load_network(path: Path) -> tuple[CharRNN, Card]:
    """Loads the network of a file, in eval mode, and the file's card.

    Raises:
        ModelFileError: as `open_graph`.
        InvalidRequest: the file is a step graph, whose weights are folded and rounded.
    """
    card = open_graph(path).card
    if card.graph != "sequence":
        raise InvalidRequest(f"{path.name} is a step graph: give the model.onnx beside it", param="file")
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    model = CharRNN(_config(card, arrays))
    state = {
        "embedding.weight": arrays["embedding"],
        "output.weight": arrays["output_weight"].T,
        "output.bias": arrays["output_bias"],
    }
    for index in range(model.config.num_layers):
        state |= {f"layers.{index}.{name}": array for name, array in _layer(card, arrays, index).items()}
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
    return model.eval().requires_grad_(False), card


def _config(card: Card, arrays: dict[str, Array]) -> ModelConfig:
    vocabulary, embedding = card.make_vocabulary(), arrays["embedding"]
    one_hot = embedding.shape[0] == embedding.shape[1] and bool((embedding == np.eye(len(embedding))).all())
    return ModelConfig(
        cell=card.cell,
        num_inputs=vocabulary.num_inputs,
        num_outputs=vocabulary.num_outputs,
        embedding_size=0 if one_hot else embedding.shape[1],
        hidden_size=arrays["recurrent_weight_0"].shape[2],
        num_layers=sum(name.startswith("recurrent_weight_") for name in arrays),
    )


def _layer(card: Card, arrays: dict[str, Array], index: int) -> dict[str, Array]:
    """Returns a layer's parameters, with the cell's own gates in PyTorch's order."""
    cell = CELLS[card.cell]
    order = tuple(int(k) for k in np.argsort(cell.onnx.order))
    input_bias, recurrent_bias = np.split(arrays[f"bias_{index}"][0], 2)
    found = {
        "input": arrays[f"input_weight_{index}"][0],
        "recurrent": arrays[f"recurrent_weight_{index}"][0],
        "input_bias": input_bias,
        "recurrent_bias": recurrent_bias,
    }
    return {
        name: collapse_gates(reorder_gates(array, order), cell.kernel_gates) for name, array in found.items()
    }
