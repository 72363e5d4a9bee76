import pytest
import torch
from support.tiny_models import CELL_NAMES

from nextchar.model.card import Cell
from nextchar_training.network.network import CharRNN, ModelConfig, RecurrentLayer, num_parameters


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
