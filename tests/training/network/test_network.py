"""A network is what PyTorch's own layers compute, and begins as the literature says."""

import math

import pytest
import torch
from support.tiny_models import CELL_NAMES
from torch import nn

from nextchar.model.card import Cell
from nextchar_training.network.network import (
    CharRNN,
    ModelConfig,
    RecurrentLayer,
    num_parameters,
    zero_state,
)


def _layer(cell: Cell) -> RecurrentLayer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return RecurrentLayer(cell, 5, 7)


def test_a_coupled_lstm_opens_its_input_gate_by_what_its_forget_gate_shuts() -> None:
    layer = _layer("lstm_coupled")
    x, h, c = torch.randn(1, 2, 5), torch.rand(1, 2, 7), torch.rand(1, 2, 7)
    hidden, (_, cell) = layer(x, (h, c))
    forget, new, out = (x[0] @ layer.input.T + h[0] @ layer.recurrent.T + layer.input_bias).chunk(3, dim=1)
    forget, new, out = forget.sigmoid(), new.tanh(), out.sigmoid()
    expected = forget * c[0] + (1 - forget) * new
    torch.testing.assert_close(cell[0], expected)
    torch.testing.assert_close(hidden[0], out * expected.tanh())


def test_a_coupled_lstm_has_three_quarters_of_the_weights() -> None:
    sizes = {cell: num_parameters(_layer(cell)) for cell in ("lstm", "lstm_coupled")}
    assert sizes["lstm_coupled"] * 4 == sizes["lstm"] * 3


@pytest.mark.parametrize(("cell", "first"), [("lstm", 7), ("lstm_coupled", 0)])
def test_forget_gates_begin_open(cell: Cell, first: int) -> None:
    bias = _layer(cell).input_bias
    assert bias[first : first + 7].eq(1).all()
    assert bias.sum() == 7


def test_recurrent_weights_begin_orthogonal_and_for_relu_near_the_identity() -> None:
    for cell in CELL_NAMES:
        for gate in _layer(cell).recurrent.split(7):
            size = 0.81 if cell == "rnn_relu" else 1.0
            torch.testing.assert_close(gate @ gate.T, size * torch.eye(7), atol=1e-5, rtol=0)
    assert _layer("rnn_relu").recurrent.equal(0.9 * torch.eye(7))


def test_a_relu_network_near_the_identity_remembers_its_state() -> None:
    # Le et al. 2015: without input, the state decays by a tenth a step and keeps its direction.
    layer, state = _layer("rnn_relu"), torch.rand(1, 1, 7)
    hidden, _ = layer(torch.zeros(10, 1, 5), (state,))
    torch.testing.assert_close(hidden[-1:], state * 0.9**10)


def test_one_hot_characters_are_not_learnt_and_not_counted() -> None:
    model = CharRNN(ModelConfig("gru", 10, 9, embedding_size=0, hidden_size=4, num_layers=1))
    assert model.embedding.weight.equal(torch.eye(10))
    assert not model.embedding.weight.requires_grad
    assert num_parameters(model) == 12 * 10 + 12 * 4 + 24 + 9 * 4 + 9


TORCH_CELLS: dict[Cell, type[nn.RNNBase]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn_tanh": nn.RNN,
    "rnn_relu": nn.RNN,
}


@pytest.mark.parametrize("cell", TORCH_CELLS)
def test_a_network_computes_what_pytorchs_own_layers_do(cell: Cell) -> None:
    model = CharRNN(ModelConfig(cell, 10, 9, embedding_size=6, hidden_size=8, num_layers=3))
    options = {"nonlinearity": cell.removeprefix("rnn_")} if cell.startswith("rnn") else {}
    plain = TORCH_CELLS[cell](6, 8, 3, **options)
    with torch.no_grad():
        for index, layer in enumerate(model.layers):
            for bias in (layer.input_bias, layer.recurrent_bias):
                bias.copy_(torch.randn_like(bias))
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            for name, own in zip(names, layer.parameters(), strict=True):
                getattr(plain, f"{name}_l{index}").copy_(own)
    ids = torch.randint(10, (12, 4))
    state = tuple(torch.randn(3, 4, 8) for _ in zero_state(model.config, 4))
    for before in (None, state):
        logits, after = model(ids, before)
        hidden, expected = plain(
            model.embedding(ids), before if before is None or len(before) > 1 else before[0]
        )
        torch.testing.assert_close(logits, model.output(hidden))
        torch.testing.assert_close(after, expected if isinstance(expected, tuple) else (expected,))


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_network_has_the_sizes_that_are_asked_for(cell: Cell) -> None:
    config = ModelConfig(cell, 10, 9, embedding_size=6, hidden_size=8, num_layers=3)
    model = CharRNN(config)
    assert model.config is config
    assert model.embedding.weight.shape == (10, 6)
    assert model.output.weight.shape == (9, 8)
    gates = len(_layer(cell).cell.gates)
    assert [tuple(layer.input.shape) for layer in model.layers] == [(gates * 8, n) for n in (6, 8, 8)]
    assert [tuple(layer.recurrent.shape) for layer in model.layers] == [(gates * 8, 8)] * 3
    logits, after = model(torch.zeros(5, 2, dtype=torch.int64))
    assert logits.shape == (5, 2, 9)
    zero = zero_state(config, 2)
    assert [part.shape for part in after] == [part.shape for part in zero] == [(3, 2, 8)] * len(zero)
    assert all(part.dtype == torch.float32 and not part.any() for part in zero)
    assert len(zero) == (2 if cell.startswith("lstm") else 1)


def test_sizes_are_told_as_plain_values() -> None:
    config = ModelConfig("gru", 10, 9, embedding_size=6)
    assert config.to_dict() == {
        "cell": "gru",
        "num_inputs": 10,
        "num_outputs": 9,
        "embedding_size": 6,
        "hidden_size": 512,
        "num_layers": 2,
    }


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_input_weights_begin_spread_by_their_sizes_and_biases_at_zero(cell: Cell) -> None:
    layer = RecurrentLayer(cell, 50, 70)
    limit = math.sqrt(6 / (50 + len(layer.input)))  # Glorot & Bengio 2010
    assert 0.98 * limit < layer.input.abs().max() <= limit
    assert layer.input.mean().abs() < limit / 20
    assert not layer.recurrent_bias.any()
    if "forget" not in layer.cell.gates:
        assert not layer.input_bias.any()


def test_recurrent_weights_can_be_replaced_for_one_pass() -> None:
    layer, other = _layer("gru"), _layer("gru")
    x, state = torch.randn(4, 2, 5), (torch.randn(1, 2, 7),)
    replaced, _ = layer(x, state, torch.zeros_like(layer.recurrent))
    with torch.no_grad():
        other.recurrent.zero_()
    torch.testing.assert_close(replaced, other(x, state)[0])
    assert not replaced.equal(layer(x, state)[0])
