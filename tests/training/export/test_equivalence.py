"""torch = model.onnx = step graph, and a row of a step is the same bytes in every batch."""

import numpy as np
import pytest
import torch
from support.tiny_models import CELL_NAMES, STEP_GRAPHS, TinyModel

from nextchar.model.card import Cell, Precision
from nextchar.model.graph import ModelGraph, run_sequence
from nextchar.model.step_runner import StepRunner

MAX_BATCH = 256


def ids_of(graph: ModelGraph, rows: int, time: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, graph.vocabulary.num_inputs, (rows, time))


def stepped(graph: ModelGraph, ids: np.ndarray) -> np.ndarray:
    """Log-probabilities [rows, time, outputs] by stepping all rows together."""
    runner = StepRunner(graph, len(ids))
    for row in range(len(ids)):
        runner.reset(row)
    logprobs = []
    for column in ids.T:
        runner.ids[:] = column
        runner.step(len(ids))
        logprobs.append(runner.distribution.copy())
    return np.stack(logprobs, axis=1)


@pytest.mark.parametrize("cell", CELL_NAMES)
@pytest.mark.parametrize(("hidden_size", "num_layers"), [(16, 1), (33, 2), (64, 3), (1, 1)])
def test_torch_model_onnx_and_float32_step_agree(cell: Cell, hidden_size: int, num_layers: int) -> None:
    model = TinyModel(cell, hidden_size, num_layers)
    sequence, step = model.sequence(), model.step("float32")
    ids = ids_of(step, 5, 40)
    with torch.no_grad():
        logits = model.module()(torch.from_numpy(ids.T.copy()))[0].permute(1, 0, 2)
    expected, logprobs = logits.numpy(), logits.double().log_softmax(2).numpy()
    # An untrained ReLU network's logits grow into the hundreds: there, relative to them.
    limit = 1e-5 * max(1.0, float(np.abs(expected).max()) / 10)
    assert np.abs(run_sequence(sequence, ids)[0] - expected).max() < limit
    assert np.abs(stepped(step, ids) - logprobs).max() < limit


@pytest.mark.parametrize("cell", [cell for cell, precision in STEP_GRAPHS if precision == "int8"])
def test_int8_stays_close(cell: Cell) -> None:
    model = TinyModel(cell, 64)
    int8, float32 = model.step("int8"), model.step("float32")
    ids = ids_of(int8, 8, 40)
    difference = np.abs(stepped(int8, ids) - stepped(float32, ids))
    assert 0 < difference.mean() < 0.02


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_model_onnx_goes_on_from_its_states(cell: Cell) -> None:
    sequence = TinyModel(cell).sequence()
    ids = ids_of(sequence, 3, 30)
    whole, _ = run_sequence(sequence, ids)
    first, states = run_sequence(sequence, ids[:, :13])
    second, _ = run_sequence(sequence, ids[:, 13:], states)
    assert np.abs(np.concatenate([first, second], axis=1) - whole).max() < 1e-6


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
@pytest.mark.parametrize("hidden_size", [24, 129])
def test_a_row_is_the_same_bytes_for_every_batch_size(
    cell: Cell, precision: Precision, hidden_size: int
) -> None:
    graph = TinyModel(cell, hidden_size).step(precision)
    ids = ids_of(graph, MAX_BATCH, 6)
    together = stepped(graph, ids)
    for n in (*range(1, 70), *range(70, MAX_BATCH, 13), MAX_BATCH - 1):
        assert stepped(graph, ids[:n]).tobytes() == together[:n].tobytes(), n
    for row in range(0, MAX_BATCH, 5):
        assert stepped(graph, ids[row : row + 1]).tobytes() == together[row : row + 1].tobytes(), row


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_a_row_is_the_same_bytes_wherever_it_stands(cell: Cell, precision: Precision) -> None:
    graph = TinyModel(cell).step(precision)
    ids = ids_of(graph, MAX_BATCH, 6)
    order = np.random.default_rng(1).permutation(MAX_BATCH)
    assert stepped(graph, ids[order]).tobytes() == stepped(graph, ids)[order].tobytes()


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_a_state_that_is_read_moved_or_written_goes_on_bit_for_bit(cell: Cell, precision: Precision) -> None:
    graph = TinyModel(cell).step(precision)
    ids = ids_of(graph, 1, 20)[0]
    expected = stepped(graph, ids[None])[0, -1]
    runner = StepRunner(graph, 4)
    runner.reset(0)
    for position, symbol in enumerate(ids):
        row = position % 3
        runner.ids[:3] = symbol
        if position == 10:
            state = runner.read_state(row)
            runner = StepRunner(graph, 4)
            runner.write_state(row, state)
            runner.ids[:3] = symbol
        runner.step(3)
        runner.move(row, (position + 1) % 3)
    assert runner.distribution[(len(ids) - 1) % 3].tobytes() == expected.tobytes()


@pytest.mark.parametrize(("cell", "precision"), STEP_GRAPHS)
def test_a_call_of_several_steps_is_that_many_calls_of_one(cell: Cell, precision: Precision) -> None:
    """Drawn, greedy and given rows side by side: the same symbols, log-probabilities and states."""
    graph, rows, time = TinyModel(cell).step(precision), 9, 16
    rng = np.random.default_rng(0)
    uniforms, given = rng.uniform(2**-52, 1, (time, rows)), ids_of(graph, time, rows) % 5
    given[:, :6] = -1

    def run(num_steps: int) -> list[bytes]:
        runner = StepRunner(graph, rows, num_steps)
        runner.ids[:] = graph.vocabulary.begin_id
        for row in range(rows):
            runner.reset(row)
        runner.inverse_temperature[:3] = (0.5, 2.0, 1e30)
        io, seen = runner.io(rows, num_steps), []
        for first in range(0, time, num_steps):
            io.given[:] = given[first : first + num_steps]
            io.uniforms[:] = uniforms[first : first + num_steps]
            runner.step(rows, num_steps)
            seen.append((io.symbols.copy(), io.logprobs.copy()))
        parts = [np.concatenate(column).tobytes() for column in zip(*seen, strict=True)]
        states = runner.read_state(np.arange(rows))
        return [*parts, runner.distribution.tobytes(), *(state.tobytes() for state in states.values())]

    once = run(1)
    for num_steps in (2, 4, 8, 16):
        assert run(num_steps) == once
