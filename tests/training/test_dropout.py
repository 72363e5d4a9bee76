import pytest
import torch

from nextchar.modelfile import Cell
from nextchar_training import dropout
from nextchar_training.dropout import forward_with_dropout
from nextchar_training.model import CharRNN, ModelConfig
from nextchar_training.trainer import zero_state

_CELLS: tuple[Cell, ...] = ("rnn_tanh", "rnn_relu", "lstm", "gru")


def _model(cell: Cell, rate: float) -> CharRNN:
    config = ModelConfig(cell, 10, 9, embedding_size=6, hidden_size=8, num_layers=2, dropout=rate)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CharRNN(config)


@pytest.mark.parametrize("cell", _CELLS)
def test_without_dropout_training_and_serving_are_the_same_network(cell: Cell) -> None:
    model = _model(cell, 0.0)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(10, (7, 3), generator=generator)
    state = tuple(torch.rand_like(part) for part in zero_state(model.config, 3))
    logits, after = forward_with_dropout(model, ids, state, generator, autocast=False)
    expected, expected_after = model(ids, state)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(after, expected_after)


def test_one_mask_holds_for_all_steps_of_a_window() -> None:
    x = torch.ones(5, 3, 40)
    dropped = dropout._locked(x, 0.5, torch.Generator().manual_seed(0))
    assert (dropped == dropped[:1]).all()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert not dropped[:, 0].equal(dropped[:, 1])


def test_masks_come_from_the_generator_alone() -> None:
    model = _model("lstm", 0.5)
    ids = torch.zeros(4, 2, dtype=torch.int64)
    state = zero_state(model.config, 2)
    generator = torch.Generator().manual_seed(5)
    before = generator.get_state()
    first, _ = forward_with_dropout(model, ids, state, generator, autocast=False)
    second, _ = forward_with_dropout(model, ids, state, generator, autocast=False)
    assert not first.equal(second)
    generator.set_state(before)
    torch.manual_seed(99)
    again, _ = forward_with_dropout(model, ids, state, generator, autocast=False)
    assert again.equal(first)


def test_bfloat16_returns_float32_logits_and_state_near_the_float32_ones() -> None:
    model = _model("lstm", 0.0)
    ids = torch.arange(10)[:, None].repeat(1, 2)
    state = zero_state(model.config, 2)
    generator = torch.Generator()
    exact, _ = forward_with_dropout(model, ids, state, generator, autocast=False)
    rough, after = forward_with_dropout(model, ids, state, generator, autocast=True)
    assert rough.dtype == after[0].dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.02, rtol=0.02)
