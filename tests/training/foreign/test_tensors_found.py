"""What the tensors of a state dict are is found by name and shape, or asked for where two readings fit."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training.foreign.makers import CHARS, GateByGate, OfModules

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.importer import Hints, Imported, import_file, import_module
from nextchar_training.foreign.state_dict import find_network
from nextchar_training.foreign.symbols import Roles


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _import(module: nn.Module, folder: Path, hints: Hints | None = None, symbols: object = CHARS) -> Imported:
    return import_module(module, symbols, name="mine", models=folder / "models", hints=hints, forward=module)


class _TwoLinears(nn.Module):
    """A plain RNN of two linear layers, with a bias between their weights."""

    def __init__(self, size: int = 12, hidden: int = 40, *, norm: bool = False) -> None:
        super().__init__()
        self.emb = nn.Embedding(len(CHARS), size)
        self.x2h, self.h2h = nn.Linear(size, hidden), nn.Linear(hidden, hidden, bias=False)
        self.norm = nn.LayerNorm(hidden) if norm else nn.Identity()
        self.head = nn.Linear(hidden, len(CHARS))

    def forward(self, ids: Tensor) -> Tensor:
        state, found = torch.zeros(self.h2h.in_features), []
        for row in self.emb(ids):
            state = torch.tanh(self.x2h(row) + self.h2h(state))
            found.append(self.head(self.norm(state)))
        return torch.stack(found)


def test_a_bias_may_stand_between_two_matrices(tmp_path: Path) -> None:
    made = _import(_TwoLinears(), tmp_path)
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5
    assert made.taken == {
        "x2h.weight": "input_0",
        "h2h.weight": "recurrent_0",
        "x2h.bias": "input_bias_0",
        "emb.weight": "embedding",
        "head.weight": "output",
        "head.bias": "output_bias",
    }


def test_a_vector_that_is_no_bias_is_left_over_and_refused() -> None:
    state = {name: array.numpy() for name, array in _TwoLinears(norm=True).state_dict().items()}
    with pytest.raises(ImportRefused, match=r"has layer or batch normalisation: norm\.weight"):
        find_network(state, num_symbols=len(CHARS))
    del state["norm.bias"]
    with pytest.raises(ImportRefused, match=r"has layer or batch normalisation: norm\.weight"):
        find_network(state, num_symbols=len(CHARS))


def test_two_matrices_of_one_size_must_be_named(tmp_path: Path) -> None:
    module = _TwoLinears(40, 40)
    with pytest.raises(ImportRefused, match="--tensor input_0=NAME and --tensor recurrent_0=NAME"):
        _import(module, tmp_path)
    names = {"input_0": "x2h.weight", "recurrent_0": "h2h.weight", "input_bias_0": "x2h.bias"}
    assert _import(module, tmp_path, Hints(tensors=names)).comparison.difference is not None


class _Tied(nn.Module):
    """A network whose output is its embedding, held once."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.rnn = nn.Embedding(len(CHARS), 64), nn.LSTM(64, 64)

    def forward(self, ids: Tensor) -> Tensor:
        hidden, _ = self.rnn(self.emb(ids)[:, None])
        return nn.functional.linear(hidden[:, 0], self.emb.weight)


@pytest.mark.parametrize(
    "tensors", [{"embedding": "emb.weight"}, {"embedding": "emb.weight", "output": "emb.weight"}]
)
def test_an_embedding_that_is_the_output_too_must_be_named(tmp_path: Path, tensors: dict[str, str]) -> None:
    module = _Tied()
    with pytest.raises(
        ImportRefused, match=r"give --tensor output=emb\.weight or --tensor embedding=emb\.weight"
    ):
        _import(module, tmp_path)
    made = _import(module, tmp_path, Hints(tensors=tensors))
    assert made.comparison.difference is not None
    assert made.comparison.difference < 1e-5


@pytest.mark.parametrize("size", [24, len(CHARS)])
def test_a_begin_may_be_read_and_never_predicted(tmp_path: Path, size: int) -> None:
    module = OfModules("GRU", size=size)
    module.encoder = nn.Embedding(len(CHARS) + 1, size)
    made = _import(module, tmp_path, Hints(Roles(begin="^")), symbols=[*CHARS, "^"])
    assert len(made.vocabulary.characters) == len(CHARS)
    assert made.comparison.difference is not None


@pytest.mark.parametrize(
    ("module", "cell", "reason"),
    [
        (OfModules("GRU"), "lstm_coupled", r"cell must be gru or gru-reset-first, .* \(is lstm-coupled\)"),
        (OfModules("LSTM"), "lstm_coupled", r"cell must be lstm, .* \(is lstm-coupled\)"),
        (OfModules("RNN"), "gru", r"cell must be rnn or relu, .* \(is gru\)"),
    ],
)
def test_a_cell_must_be_of_the_kind_that_the_weights_are(
    module: nn.Module, cell: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportRefused, match=reason):
        _import(module, tmp_path, Hints(cell=cell))


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"input_0": "x2h.weight", "recurrent_0": "x2h.bias"}, r"recurrent_0 must be a matrix \(x2h.bias is"),
        ({"output_bias": "head.weight"}, "output_bias must be a vector"),
        ({"start": "head.bias"}, r"start must have a number per unit \(40, has 28\)"),
        (
            {"embedding": "h2h.weight", "input_0": "x2h.weight", "recurrent_0": "head.weight"},
            "with 1, 3 or 4",
        ),
        ({"input_0": "emb.weight", "recurrent_0": "h2h.weight"}, r"as many rows each \(have 28, 40\)"),
        ({"embedding": "h2h.weight"}, "recurrent"),
        ({"output": "emb.weight"}, "no tensor can be the embedding"),
    ],
)
def test_a_tensor_that_cannot_be_what_a_hint_says_is_refused(
    tensors: dict[str, str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportRefused, match=reason):
        _import(_TwoLinears(), tmp_path, Hints(tensors=tensors))


@pytest.mark.parametrize("name", ["decoder.bias", "rnn.bias_hh_l0"])
def test_biases_must_be_numbers(name: str, tmp_path: Path) -> None:
    module = OfModules("RNN")
    with torch.no_grad():
        module.get_parameter(name)[0] = torch.nan
    with pytest.raises(ImportRefused, match="weights must be numbers"):
        _import(module, tmp_path)


def test_a_learnt_first_state_must_be_numbers(tmp_path: Path) -> None:
    module = GateByGate("GRU", len(CHARS))
    with torch.no_grad():
        module.start[0, 0] = torch.inf
    with pytest.raises(ImportRefused, match="weights must be numbers"):
        import_module(module, CHARS, name="mine", models=tmp_path)


def test_the_network_of_a_checkpoint_is_what_has_the_most_tensors(tmp_path: Path) -> None:
    module, file = OfModules("LSTM"), tmp_path / "all.pt"
    moments = {name: torch.zeros(3) for name in ("step", "mean", "square")}
    torch.save({"optimizer": {"state": {0: moments}}, "model": module.state_dict()}, file)
    (tmp_path / "symbols.json").write_text('"' + CHARS.replace("\n", "\\n") + '"')
    made = import_file(file, tmp_path / "symbols.json", name="mine", models=tmp_path, hints=Hints())
    assert made.taken["encoder.weight"] == "embedding"


class _Relu(_TwoLinears):
    def forward(self, ids: Tensor) -> Tensor:
        state, found = torch.zeros(40), []
        for row in self.emb(ids):
            state = torch.relu(self.x2h(row) + self.h2h(state))
            found.append(self.head(state))
        return torch.stack(found)


def test_what_may_be_a_relu_is_refused_with_the_hint_that_helps(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r'ReLU: give Hints\(cell="rnn_relu"\)'):
        _import(_Relu(), tmp_path)
    assert _import(_Relu(), tmp_path, Hints(cell="rnn_relu")).comparison.difference is not None


class _WithDropout(OfModules):
    def forward(self, ids: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(ids), 0.5, self.training)


def test_a_module_is_compared_in_eval_mode_and_keeps_its_own(tmp_path: Path) -> None:
    module = _WithDropout("GRU").train()
    module.encoder.eval()
    assert _import(module, tmp_path).comparison.difference is not None
    assert module.training
    assert not module.encoder.training


def test_a_module_without_such_an_output_needs_forward(tmp_path: Path) -> None:
    module = OfModules("GRU")
    module.forward = lambda ids: torch.zeros(ids.shape)
    with pytest.raises(
        ImportRefused, match=r"must have an output \[1, .*, 28\] for ids \[1, .*: give `forward`"
    ):
        import_module(module, CHARS, name="mine", models=tmp_path)


def test_an_original_that_gives_no_numbers_is_refused(tmp_path: Path) -> None:
    module = OfModules("GRU")
    with pytest.raises(ImportRefused, match="differs from the original by nan"):
        import_module(module, CHARS, name="mine", models=tmp_path, forward=lambda ids: np.nan * module(ids))
