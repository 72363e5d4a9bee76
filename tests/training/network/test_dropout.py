"""Dropout drops its share of what it says, in every step alike, and nothing where it is off."""

import pytest
import torch
from support.tiny_models import CELL_NAMES
from torch import Tensor

from nextchar.model.card import Cell
from nextchar_training.config import TrainingConfig
from nextchar_training.network import dropout
from nextchar_training.network.cells.cell import State
from nextchar_training.network.dropout import DropoutForward, DropoutRates, dropout_rates
from nextchar_training.network.network import CharRNN, ModelConfig, zero_state

_HALF = DropoutRates(input=0.5, layer=0.5, output=0.5, weight=0.5, noise=0.5)
_IDS = torch.arange(10)[:, None].repeat(1, 2)


def _model(cell: Cell = "lstm") -> CharRNN:
    config = ModelConfig(cell, 10, 9, embedding_size=6, hidden_size=8, num_layers=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CharRNN(config)


def _run(
    model: CharRNN,
    ids: Tensor = _IDS,
    rates: DropoutRates | None = None,
    *,
    generator: torch.Generator | None = None,
    state: State | None = None,
    columns: slice | None = None,
    autocast: bool = False,
) -> tuple[Tensor, State]:
    generator = generator or torch.Generator().manual_seed(0)
    forward = DropoutForward(model, rates or DropoutRates(), generator, autocast=autocast)
    columns = columns or slice(0, ids.shape[1])
    state = state or zero_state(model.config, columns.stop - columns.start)
    logits, after = forward(ids[:, columns], state, columns, ids.shape[1])
    return logits, after


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_without_dropout_training_and_serving_are_the_same_network(cell: Cell) -> None:
    model = _model(cell)
    state = tuple(torch.rand_like(part) for part in zero_state(model.config, 2))
    logits, after = _run(model, state=state)
    expected, expected_after = model(_IDS, state)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(after, expected_after)


@pytest.mark.parametrize("kind", ["input", "layer", "output", "weight", "noise"])
def test_every_kind_of_dropout_changes_the_window_by_itself(kind: str) -> None:
    model = _model()
    assert not _run(model, rates=DropoutRates(**{kind: 0.5}))[0].equal(_run(model)[0])


def test_the_one_knob_turns_all_rates_that_are_not_given() -> None:
    config = TrainingConfig(corpus="x", name="x", dropout=0.4, weight_dropout=0.3)
    assert dropout_rates(config) == DropoutRates(0.1, 0.4, 0.4, 0.3, 0.0)


def _masks() -> dropout._Masks:
    return dropout._Masks(torch.Generator().manual_seed(0), slice(0, 3), 3)


def test_one_mask_holds_for_all_steps_of_a_window() -> None:
    x = torch.ones(5, 3, 40)
    dropped = _masks().locked(x, 0.5)
    assert (dropped == dropped[:1]).all()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert not dropped[:, 0].equal(dropped[:, 1])


@pytest.mark.parametrize("rate", [0.05, 0.225, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate_and_the_mean_stays(rate: float) -> None:
    dropped = _masks().dropped(torch.ones(301, 1001), rate)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
    assert dropped.max().item() == pytest.approx(1 / (1 - rate))


def test_noise_replaces_its_share_of_the_characters() -> None:
    ids = torch.full((500, 3), 7)
    read = _masks().replaced(ids, 0.2, 9)
    assert (read != ids).float().mean().item() == pytest.approx(0.2 * 8 / 9, abs=0.03)
    assert read.max().item() < 9


def test_a_share_of_the_columns_is_masked_as_in_the_whole_batch() -> None:
    model, ids = _model(), torch.randint(9, (10, 5), generator=torch.Generator().manual_seed(1))
    whole, _ = _run(model, ids, _HALF)
    part, _ = _run(model, ids, _HALF, columns=slice(2, 4))
    torch.testing.assert_close(part, whole[:, 2:4])


def test_masks_come_from_the_generator_alone() -> None:
    model, generator = _model(), torch.Generator().manual_seed(5)
    before = generator.get_state()
    first, _ = _run(model, rates=_HALF, generator=generator)
    second, _ = _run(model, rates=_HALF, generator=generator)
    assert not first.equal(second)
    generator.set_state(before)
    torch.manual_seed(99)
    again, _ = _run(model, rates=_HALF, generator=generator)
    assert again.equal(first)


def test_bfloat16_returns_float32_logits_and_state_near_the_float32_ones() -> None:
    model = _model()
    exact, _ = _run(model)
    rough, after = _run(model, autocast=True)
    assert rough.dtype == after[0].dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.02, rtol=0.02)


def test_rates_that_are_given_are_taken_and_others_are_a_share() -> None:
    config = TrainingConfig(
        corpus="x",
        name="x",
        dropout=0.8,
        input_dropout=0.1,
        layer_dropout=0.2,
        output_dropout=0.3,
        weight_dropout=0.0,
        input_noise=0.05,
    )
    assert dropout_rates(config) == DropoutRates(0.1, 0.2, 0.3, 0.0, 0.05)
    config = TrainingConfig(corpus="x", name="x", dropout=0.8)
    assert dropout_rates(config) == DropoutRates(0.2, 0.8, 0.8, 0.4, 0.0)


def test_nothing_is_drawn_where_nothing_is_dropped() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    masks, x, ids = dropout._Masks(generator, slice(0, 3), 3), torch.ones(2, 3, 4), torch.ones(2, 3)
    assert masks.locked(x, 0.0) is x
    assert masks.dropped(x, 0.0) is x
    assert masks.replaced(ids, 0.0, 9) is ids
    assert generator.get_state().equal(before)


def test_what_is_not_replaced_stays_and_replacements_are_any_symbol() -> None:
    ids = torch.arange(4000).reshape(1000, 4) + 100
    masks = dropout._Masks(torch.Generator().manual_seed(0), slice(1, 5), 7)
    read = masks.replaced(ids, 0.5, 9)
    assert read.shape == ids.shape
    changed = read != ids
    assert changed.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert set(read[changed].tolist()) == set(range(9))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mask_of_any_size_has_the_type_of_what_it_drops(dtype: torch.dtype) -> None:
    for num in range(1, 11):  # four elements come of one random number
        dropped = _masks().dropped(torch.ones(num, 1, dtype=dtype), 0.5)
        assert dropped.shape == (num, 1)
        assert dropped.dtype == dtype
        assert set(dropped.flatten().tolist()) <= {0.0, 2.0}


def test_neighbours_are_dropped_independently() -> None:
    kept = (_masks().dropped(torch.ones(100_000), 0.5) > 0).float()
    for distance in range(1, 6):
        both = (kept[distance:] * kept[:-distance]).mean().item()
        assert both == pytest.approx(0.25, abs=0.01)


def _changes(kind: str, num_layers: int, cell: Cell = "gru") -> bool:
    config = ModelConfig(cell, 10, 9, embedding_size=6, hidden_size=8, num_layers=num_layers)
    model = CharRNN(config)
    return not _run(model, rates=DropoutRates(**{kind: 0.5}))[0].equal(_run(model)[0])


def test_each_rate_is_for_its_own_place() -> None:
    assert not _changes("layer", 1)  # there is nothing between one layer
    assert _changes("layer", 2)
    assert _changes("output", 1)
    assert _changes("weight", 1)
    assert not _changes("weight", 2, "rnn_relu")  # it would overflow
    assert _changes("input", 1, "rnn_relu")


def test_the_last_output_is_dropped_and_not_the_state() -> None:
    model = _model()
    dropped, after = _run(model, rates=DropoutRates(output=0.5))
    plain, expected = _run(model)
    assert not dropped.equal(plain)
    torch.testing.assert_close(after, expected)


def test_each_stream_of_a_batch_has_a_mask_of_its_own() -> None:
    for kind in ("input", "layer", "output"):
        generator = torch.Generator().manual_seed(1)
        logits, _ = _run(_model(), rates=DropoutRates(**{kind: 0.5}), generator=generator)
        assert not logits[:, 0].equal(logits[:, 1])  # though both read the same
    logits, _ = _run(_model(), rates=DropoutRates(weight=0.5))
    assert logits[:, 0].equal(logits[:, 1])


def test_noise_reads_no_symbol_that_cannot_be_predicted() -> None:
    model = _model()  # ten symbols are read, the last of them is never an output
    with torch.no_grad():
        model.embedding.weight[9] = torch.nan
    logits, _ = _run(model, torch.zeros(400, 2, dtype=torch.int64), DropoutRates(noise=0.9))
    assert logits.isfinite().all()


def test_a_window_goes_on_from_the_state_of_each_layer() -> None:
    model = _model()
    ids = torch.randint(9, (20, 2))
    whole, whole_after = _run(model, ids)
    first, state = _run(model, ids[:8])
    second, after = _run(model, ids[8:], state=state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(after, whole_after)
