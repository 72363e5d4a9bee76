"""The table of cells is whole: whatever is true of every cell."""

import pytest
import torch
from support.tiny_models import CELL_NAMES, TEXT

from nextchar.model.card import Card, Cell
from nextchar_training.network.cells.cell import SignedGate
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import RecurrentLayer
from nextchar_training.network.weights import collapse_gates, expand_gates


def test_a_card_names_the_cells_of_the_table() -> None:
    for name in CELLS:
        Card.model_validate({**TEXT.card().model_dump(), "cell": name})
    assert len({cell.flag for cell in CELLS.values()}) == len({cell.title for cell in CELLS.values()})
    assert len({cell.flag for cell in CELLS.values()}) == len(CELLS)


@pytest.mark.parametrize("name", CELL_NAMES)
def test_a_row_is_complete_and_agrees_with_itself(name: Cell) -> None:
    cell = CELLS[name]
    read = cell.kernel_gates or tuple(SignedGate(k) for k in range(cell.num_gates))
    assert {gate.own for gate in read} == set(range(cell.num_gates))
    assert sorted(cell.onnx.order) == list(range(len(read)))
    assert set(cell.initial_bias) <= set(cell.gates)
    assert set(cell.uint8_states) <= set(cell.states)
    assert cell.states[0] == "h"
    assert cell.has_int8 or not cell.uint8_states


@pytest.mark.parametrize("name", CELL_NAMES)
def test_torch_and_the_export_read_the_same_gates(name: Cell) -> None:
    layer, kernel_gates = RecurrentLayer(name, 5, 7), CELLS[name].kernel_gates
    own = layer.recurrent.detach().numpy()
    expanded = expand_gates(own, kernel_gates)
    torch.testing.assert_close(torch.from_numpy(expanded), layer._kernel_weight(layer.recurrent).detach())
    assert collapse_gates(expanded, kernel_gates).tobytes() == own.tobytes()
