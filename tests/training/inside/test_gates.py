import numpy as np
import pytest
import torch
from support.tiny_models import CELL_NAMES, TinyModel

from nextchar.model.card import Cell
from nextchar_training.inside.gates import LayerTrace, trace
from nextchar_training.inside.interpretable_units import most_like, properties

_IDS = np.random.default_rng(0).integers(0, 20, 50)


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_trace_ends_in_the_networks_own_state(cell: Cell) -> None:
    model = TinyModel(cell).module()
    _, state = model(torch.from_numpy(_IDS[:, None]))
    for index, layer in enumerate(trace(model, _IDS)):
        last = [state[0][index, 0].numpy()] if len(state) == 1 else [part[index, 0].numpy() for part in state]
        np.testing.assert_allclose(layer.values["hidden"][-1], last[0], atol=1e-6)
        if len(last) > 1:
            np.testing.assert_allclose(layer.values["cell"][-1], last[1], atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "places"),
    [
        ("lstm", {"input gate": 0, "forget gate": 1, "output gate": 3}),
        ("lstm_coupled", {"forget gate": 0, "output gate": 2}),
        ("gru", {"reset gate": 0, "update gate": 1}),
    ],
)
def test_a_gate_is_the_sigmoid_of_its_rows(cell: Cell, places: dict[str, int]) -> None:
    model = TinyModel(cell).module()
    x = model.embedding.weight.numpy()[_IDS].astype(np.float64)
    for layer, traced in zip(model.layers, trace(model, _IDS), strict=True):
        hidden = traced.values["hidden"].astype(np.float64)
        before = np.vstack([np.zeros(hidden.shape[1]), hidden[:-1]])
        sums = x @ layer.input.numpy().T + before @ layer.recurrent.numpy().T
        sums += layer.input_bias.numpy() + layer.recurrent_bias.numpy()
        gates = np.split(1 / (1 + np.exp(-sums)), layer.cell.num_gates, axis=1)
        for name, place in places.items():
            np.testing.assert_allclose(traced.values[name], gates[place], atol=1e-5)
        x = hidden


@pytest.mark.parametrize("cell", ["lstm", "lstm_coupled"])
def test_the_output_gate_lets_out_the_cell(cell: Cell) -> None:
    for layer in trace(TinyModel(cell).module(), _IDS):
        values = layer.values
        np.testing.assert_allclose(
            values["hidden"], values["output gate"] * np.tanh(values["cell"]), atol=1e-5
        )
        assert all(values[name].min() >= 0 and values[name].max() <= 1 for name in values if "gate" in name)
        if cell == "lstm_coupled":
            np.testing.assert_allclose(values["input gate"], 1 - values["forget gate"], atol=1e-6)


def test_the_update_gate_of_a_gru_keeps_what_was() -> None:
    model = TinyModel("gru").module()
    layer = model.layers[0]
    hidden = model.config.hidden_size
    layer.input_bias.data[hidden : 2 * hidden] = 50.0  # z = 1: nothing is ever updated
    values = trace(model, _IDS)[0].values
    assert values["update gate"].min() == pytest.approx(1)
    np.testing.assert_allclose(values["hidden"], 0, atol=1e-6)


def test_properties_are_what_a_person_would_say() -> None:
    found = properties('He "s(a)id"\n  Yes2')
    assert found["line position"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6]
    assert found["inside quotes"].tolist() == [0] * 3 + [1] * 7 + [0] * 8
    assert found["inside brackets"].tolist() == [0] * 5 + [1, 1] + [0] * 11
    assert found["indentation"].tolist() == [0] * 12 + [1] + [2] * 5
    assert found["length of the word"].tolist() == [1, 2, 0, 0, 1, 0, 1, 0, 1, 2, 0, 0, 0, 0, 1, 2, 3, 4]
    assert found["digits"].tolist() == [0] * 17 + [1]
    assert "inside brackets" not in properties("no brackets here")


def test_a_quote_that_is_never_closed_ends_with_its_paragraph() -> None:
    assert properties('a "b\n\nc d')["inside quotes"].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]


def test_the_unit_that_follows_a_property_is_found() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=300)
    states = draw.normal(size=(300, 6)).astype(np.float32)
    states[:, 4] = -2 * values + 1
    states[:, 2] = 0.5  # never changes
    traces = [
        LayerTrace({"hidden": draw.normal(size=(300, 6)).astype(np.float32)}),
        LayerTrace({"hidden": states}),
    ]
    best, second = most_like(traces, values, 2)
    assert (best.layer, best.index) == (1, 4)
    assert best.correlation == pytest.approx(-1, abs=1e-6)
    assert abs(second.correlation) < 0.5
