from pathlib import Path

import pytest
import torch
from support.tiny_models import CELL_NAMES, TinyModel

from nextchar.errors import InvalidRequest
from nextchar.model.card import Cell
from nextchar_training.export.read_back import load_network


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_network_of_an_exported_file_is_the_one_exported(tmp_path: Path, cell: Cell) -> None:
    tiny = TinyModel(cell)
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny.sequence_bytes())
    found, card = load_network(path)
    expected = tiny.module()
    assert card.cell == cell
    assert found.config == expected.config
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_step_graph_is_not_a_network(tmp_path: Path) -> None:
    path = tmp_path / "step-int8.onnx"
    path.write_bytes(TinyModel().step_bytes())
    with pytest.raises(InvalidRequest, match=r"step-int8\.onnx is a step graph: give the model\.onnx"):
        load_network(path)
