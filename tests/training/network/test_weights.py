"""Weights are read as they are, and gates can be put in another order and back."""

import numpy as np
import pytest
import torch
from support.tiny_models import CELL_NAMES, TinyModel

from nextchar.model.card import Cell
from nextchar_training.network.cells.cell import SignedGate
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.network.weights import collapse_gates, expand_gates, read_weights, reorder_gates

ROWS = np.arange(12, dtype=np.float32).reshape(6, 2)  # three gates of two rows


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_every_parameter_is_read_into_an_array_of_its_own(cell: Cell) -> None:
    model = TinyModel(cell, hidden_size=7, num_layers=3).module()
    weights = read_weights(model)
    assert (weights.cell, weights.hidden_size, len(weights.layers)) == (cell, 7, 3)
    pairs = [
        (weights.embedding, model.embedding.weight),
        (weights.output, model.output.weight),
        (weights.output_bias, model.output.bias),
    ]
    for read, layer in zip(weights.layers, model.layers, strict=True):
        names = ("input", "recurrent", "input_bias", "recurrent_bias")
        pairs += [(getattr(read, name), getattr(layer, name)) for name in names]
    for array, parameter in pairs:
        assert array.dtype == np.float32
        assert array.tolist() == parameter.tolist()
    with torch.no_grad():
        model.output.bias.add_(1)
    assert weights.output_bias.tolist() != model.output.bias.tolist()  # a copy


def test_weights_of_another_precision_are_read_as_float32() -> None:
    model = CharRNN(ModelConfig("gru", 5, 4, embedding_size=3, hidden_size=2, num_layers=1)).bfloat16()
    weights = read_weights(model)
    assert weights.layers[0].recurrent.dtype == np.float32
    assert weights.output.tolist() == model.output.weight.float().tolist()


def test_gates_are_put_in_another_order() -> None:
    assert reorder_gates(ROWS, (2, 0, 1)).tolist() == ROWS[[4, 5, 0, 1, 2, 3]].tolist()
    assert reorder_gates(ROWS[:, 0], (1, 2, 0)).tolist() == ROWS[[2, 3, 4, 5, 0, 1], 0].tolist()


def test_gates_are_expanded_with_their_signs_and_collapsed_again() -> None:
    read = (SignedGate(1, -1), SignedGate(0), SignedGate(2), SignedGate(1))
    expanded = expand_gates(ROWS, read)
    assert expanded.tolist() == np.concatenate([-ROWS[2:4], ROWS[0:2], ROWS[4:6], ROWS[2:4]]).tolist()
    assert expanded.dtype == np.float32
    assert collapse_gates(expanded, read).tolist() == ROWS.tolist()
    assert collapse_gates(-ROWS, tuple(SignedGate(k, -1) for k in range(3))).tolist() == ROWS.tolist()
    assert expand_gates(ROWS, None) is ROWS
    assert collapse_gates(ROWS, None) is ROWS
