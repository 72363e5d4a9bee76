"""What is not given is chosen by the size of the text; what is given holds."""

from typing import Any

import pytest

from nextchar.model.card import Cell
from nextchar_training.commands.recipe import SIZES, WORK, TextSize, complete, num_weights, size_of
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import CharRNN, ModelConfig, num_parameters
from nextchar_training.text.code_points import Unit

_SIZE_OPTIONS = ("num_layers", "hidden_size", "embedding_size", "dropout", "batch_size", "window")
_NOTHING_GIVEN: dict[str, Any] = dict.fromkeys(
    (*_SIZE_OPTIONS, "learning_rate", "weight_decay", "epochs", "steps", "max_minutes")
) | {"optimizer": "adamw"}
_MEGA = 1_000_000


def _chosen(num_symbols: int, unit: Unit = "text", cell: Cell = "lstm", **given: Any) -> dict[str, Any]:
    return complete(_NOTHING_GIVEN | given, TextSize(unit, num_symbols, 80), cell)


@pytest.mark.parametrize("unit", ["text", "line"])
@pytest.mark.parametrize("num_symbols", [300, 85_000, 850_000, 1_700_000, 4_250_000, 85 * _MEGA, 10**10])
def test_every_option_is_chosen_for_every_size(unit: Unit, num_symbols: int) -> None:
    found = _chosen(num_symbols, unit)
    assert all(found[name] is not None for name in (*_SIZE_OPTIONS, "learning_rate", "epochs"))
    assert found["epochs"] >= 1
    assert 2 <= found["window"] < num_symbols


@pytest.mark.parametrize("unit", ["text", "line"])
def test_larger_texts_have_networks_as_large_less_dropout_and_fewer_passes(unit: Unit) -> None:
    found = [_chosen(10**k, unit) for k in range(4, 9)]
    weights = [num_weights(one, TextSize(unit, 1, 80), "lstm") for one in found]
    assert weights == sorted(weights)
    for name in ("dropout", "epochs"):
        values = [one[name] for one in found]
        assert values == sorted(values, reverse=True), name


@pytest.mark.parametrize("num_symbols", [85_000, 850_000, 1_700_000, 4_250_000, 6 * _MEGA])
def test_up_to_some_millions_of_characters_a_run_is_a_quarter_of_an_hours_work(num_symbols: int) -> None:
    found, text = _chosen(num_symbols), TextSize("text", num_symbols, 80)
    assert found["epochs"] * num_symbols * num_weights(found, text, "lstm") <= 1.1 * WORK


def test_short_texts_have_thousands_of_updates() -> None:
    for unit in SIZES:
        found = _chosen(85_000, unit)
        assert found["epochs"] * 85_000 / found["batch_size"] / found["window"] >= 3000


@pytest.mark.parametrize("name", _SIZE_OPTIONS)
def test_what_is_given_holds(name: str) -> None:
    assert _chosen(85_000, **{name: 3})[name] == 3


def test_a_network_that_is_given_larger_makes_fewer_passes() -> None:
    assert _chosen(850_000, hidden_size=640)["epochs"] < _chosen(850_000)["epochs"] / 2


@pytest.mark.parametrize("length", [{"steps": 9}, {"max_minutes": 1.0}, {"epochs": 3.0}])
def test_a_length_that_is_given_is_the_only_one(length: dict[str, Any]) -> None:
    found = _chosen(850_000, **length)
    assert {name: found[name] for name in ("epochs", "steps", "max_minutes") if found[name]} == length


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_and_an_optimizer_have_their_own_rate(cell: Cell) -> None:
    adamw, sgd = _chosen(850_000, cell=cell), _chosen(850_000, cell=cell, optimizer="sgd")
    assert (adamw["learning_rate"], sgd["learning_rate"]) == (
        CELLS[cell].learning_rate,
        CELLS[cell].sgd_learning_rate,
    )
    assert (adamw["weight_decay"], sgd["weight_decay"]) == (0.01, 0.0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding_size", [0, 16])
def test_the_weights_are_those_of_the_network(cell: Cell, embedding_size: int) -> None:
    """The number is for the length of a run: biases, and the embedding, which is looked up, are left out."""
    sizes = {"hidden_size": 24, "num_layers": 2, "embedding_size": embedding_size}
    network = CharRNN(ModelConfig(cell, num_inputs=80, num_outputs=80, **sizes))
    matrices = [p for p in network.parameters() if p.dim() == 2 and p.requires_grad]
    looked_up = 80 * embedding_size
    expected = sum(p.numel() for p in matrices) - looked_up
    assert num_weights(sizes, TextSize("text", 1, 80), cell) == expected
    assert expected < num_parameters(network)


def test_the_last_row_of_the_table_has_no_limit() -> None:
    for unit, rows in SIZES.items():
        limits = [row.max_symbols for row in rows]
        assert limits == sorted(limits)
        assert size_of(TextSize(unit, 10**12, 80)) is rows[-1]


@pytest.mark.parametrize("num_symbols", [500_000, 1_003_854, 4_264_000, 10_360_000])
def test_the_commands_of_the_shipped_models_still_mean_what_they_meant(num_symbols: int) -> None:
    """Their cards do not say what was the default for every size."""
    for unit in SIZES:
        found = _chosen(num_symbols, unit)
        assert (found["batch_size"], found["window"], found["learning_rate"]) == (32, 128, 0.003)
    assert _chosen(num_symbols)["embedding_size"] == 128
