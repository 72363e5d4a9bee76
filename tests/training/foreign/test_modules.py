"""A PyTorch module is served as it computes, whatever its tensors are called and its ids mean."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training.foreign.makers import CHARS, TEXT, GateByGate, OfModules

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import open_graph
from nextchar_training.foreign.importer import Forward, Hints, Imported, import_module
from nextchar_training.foreign.symbols import Roles

DOTTED = {".": 0} | {character: k + 1 for k, character in enumerate("abcdefghijklmnopqrstuvwxyz")}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def imported(
    module: nn.Module,
    symbols: object,
    folder: Path,
    hints: Hints | None = None,
    forward: Forward | None = None,
) -> Imported:
    return import_module(
        module.eval(), symbols, name="mine", models=folder, hints=hints, forward=forward or module
    )


def served(made: Imported, text: str) -> np.ndarray:
    """Log p of each character, from begin, by the graph that is written."""
    graph = open_graph(made.folder / "model.onnx")
    (logprobs,) = symbol_logprobs(graph, [graph.vocabulary.encode(text)])
    return logprobs


@torch.no_grad()
def own(module: nn.Module, ids: list[int]) -> np.ndarray:
    """Log p of each id but the first by the module itself."""
    logits = module(torch.tensor(ids[:-1]))
    return logits.double().log_softmax(-1)[range(len(ids) - 1), ids[1:]].numpy()


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_modules_of_torch_are_served_as_they_compute(kind: str, tmp_path: Path) -> None:
    module = OfModules(kind)
    made = imported(module, CHARS, tmp_path)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5
    expected = own(module, [CHARS.index(character) for character in "\n" + TEXT])
    np.testing.assert_allclose(served(made, TEXT), expected, atol=1e-4)
    assert {path.name for path in made.folder.iterdir()} == {"model.onnx", "step-int8.onnx"}


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_cells_of_one_linear_layer_per_gate_are_served_with_their_first_state(
    kind: str, tmp_path: Path
) -> None:
    module = GateByGate(kind, len(DOTTED))
    made = import_module(module.eval(), DOTTED, name="mine", models=tmp_path, hints=Hints(Roles(".", ".")))
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5
    assert made.vocabulary.unit == "line"
    assert "." not in made.vocabulary.characters
    assert made.comparison.num_chars > 0


def test_ids_in_any_order_and_special_symbols_find_their_places(tmp_path: Path) -> None:
    symbols = ["<pad>", "<unk>", *CHARS, "<s>", "</s>"]
    random.Random(1).shuffle(symbols)
    module = OfModules("LSTM", len(symbols))
    made = imported(module, {symbol: k for k, symbol in enumerate(symbols)}, tmp_path)
    v = made.vocabulary
    assert (v.unit, v.unknown, len(v.characters)) == ("line", "symbol", len(CHARS))
    ids = [symbols.index(symbol) for symbol in ["<s>", *"odd", "<unk>"]]
    expected = own(module, ids)
    with torch.no_grad():  # what <pad> and <s> would have had is the others'
        all_ = module(torch.tensor(ids[:-1])).double().log_softmax(-1).exp().numpy()
    lost = all_[:, [symbols.index("<pad>"), symbols.index("<s>")]].sum(1)
    np.testing.assert_allclose(served(made, "odd\N{SNOWMAN}"), expected - np.log1p(-lost), atol=1e-4)
    assert made.comparison.left_out == pytest.approx(lost.mean(), abs=0.02)


def test_biases_may_be_absent_and_wrappers_add_prefixes(tmp_path: Path) -> None:
    module = OfModules("GRU", bias=False)
    module.decoder = nn.Linear(24, len(CHARS), bias=False)
    made = imported(nn.DataParallel(module), CHARS, tmp_path, forward=module)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5


class _OneHot(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(len(CHARS), 20)
        self.fc = nn.Linear(20, len(CHARS))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        state, found = None, []
        for row in nn.functional.one_hot(ids, len(CHARS)).float():
            state = self.lstm(row[None], state)
            found.append(self.fc(state[0])[0])
        return torch.stack(found)


def test_characters_may_be_read_one_hot(tmp_path: Path) -> None:
    made = imported(_OneHot(), CHARS, tmp_path)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5


class _Plain(nn.Module):
    """Matrices with names of their own."""

    def __init__(self) -> None:
        super().__init__()
        for name, shape in {"C": (28, 12), "U": (16, 12), "W": (16, 16), "b": (16,), "V": (28, 16)}.items():
            setattr(self, name, nn.Parameter(torch.randn(shape) / 4))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        state, found = torch.zeros(16), []
        for row in self.C[ids]:
            state = torch.relu(row @ self.U.T + state @ self.W.T + self.b)
            found.append(state @ self.V.T)
        return torch.stack(found)


def test_tensors_may_be_hinted_by_name(tmp_path: Path) -> None:
    hints = Hints(
        cell="rnn_relu",
        tensors={"embedding": "C", "input_0": "U", "recurrent_0": "W", "input_bias_0": "b", "output": "V"},
    )
    made = imported(_Plain(), CHARS, tmp_path, hints)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5
    assert {path.name for path in made.folder.iterdir()} == {"model.onnx", "step-float32.onnx"}
