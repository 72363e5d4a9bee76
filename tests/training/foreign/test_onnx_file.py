"""ONNX files with the standard recurrent operators are imported, whoever exported them."""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from support.tiny_models import CELL_NAMES, TinyModel
from training.foreign.makers import CHARS, TEXT, OfModules

from nextchar.model.card import Cell
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import graph_from_bytes, open_graph
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.importer import Hints, import_file

SYMBOLS = '"' + CHARS.replace("\n", "\\n") + '"'


@pytest.mark.parametrize("cell", [cell for cell in CELL_NAMES if cell != "lstm_coupled"])
def test_a_file_of_our_own_comes_back_as_it_is(cell: Cell, tmp_path: Path) -> None:
    model = TinyModel(cell)
    file, symbols, v = tmp_path / "model.onnx", tmp_path / "symbols.json", model.vocabulary
    file.write_bytes(model.sequence_bytes())
    symbols.write_text(json.dumps([*v.characters, "<unk>", "<s>"]))
    made = import_file(file, symbols, name="again", models=tmp_path, hints=Hints())
    assert made.comparison.difference is not None
    graphs = graph_from_bytes(model.sequence_bytes(), shown="own"), open_graph(made.folder / "model.onnx")
    assert {graph.card.cell for graph in graphs} == {cell}
    text = "caf\N{LATIN SMALL LETTER E WITH ACUTE}, a\N{SNOWMAN}b"
    own, again = (symbol_logprobs(graph, [graph.vocabulary.encode(text)])[0] for graph in graphs)
    np.testing.assert_allclose(again, own, atol=1e-5)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_file_that_torch_exported_is_served_as_it_computes(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, file = OfModules(kind).eval(), tmp_path / "mine.onnx"
    ids = torch.tensor([CHARS.index(character) for character in "\n" + TEXT])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (ids,), file, dynamo=False, opset_version=17)
    (tmp_path / "symbols.json").write_text(SYMBOLS)
    made = import_file(file, tmp_path / "symbols.json", name="mine", models=tmp_path, hints=Hints())
    graph = open_graph(made.folder / "model.onnx")
    (found,) = symbol_logprobs(graph, [graph.vocabulary.encode(TEXT)])
    with torch.no_grad():
        logprobs = module(ids[:-1]).double().log_softmax(-1)
    np.testing.assert_allclose(found, logprobs[range(len(TEXT)), ids[1:]].numpy(), atol=1e-4)


def _changed(path: Path, change: str) -> None:
    proto = onnx.load(path)
    node = next(node for node in proto.graph.node if node.op_type == "LSTM")
    if change == "backwards":
        node.attribute.append(onnx.helper.make_attribute("direction", "reverse"))
    elif change == "clip":
        node.attribute.append(onnx.helper.make_attribute("clip", 1.0))
    elif change == "activations":
        node.attribute.append(onnx.helper.make_attribute("activations", ["HardSigmoid", "Tanh", "Tanh"]))
    elif change == "peepholes":
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((1, 72), np.float32), "peep"))
        node.input.append("peep")
    else:
        node.op_type = "Identity"
    onnx.save(proto, path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("backwards", "reads backwards"),
        ("clip", "neither clip nor input_forget"),
        ("activations", "activations of LSTM must be sigmoid, tanh, tanh"),
        ("peepholes", "has peepholes"),
        ("nothing recurrent", "has no RNN, LSTM or GRU operator"),
    ],
)
def test_an_operator_with_what_no_served_graph_has_is_refused(
    change: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(TinyModel("lstm", num_layers=1).sequence_bytes())
    _changed(file, change)
    (tmp_path / "symbols.json").write_text(SYMBOLS)
    with pytest.raises(ImportRefused, match=reason):
        import_file(file, tmp_path / "symbols.json", name="mine", models=tmp_path / "models", hints=Hints())
    assert not (tmp_path / "models").exists()
