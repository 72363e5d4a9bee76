from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nextchar_training.run.checkpoint import load_checkpoint, save_checkpoint
from nextchar_training.run.run import Run
from nextchar_training.run.step import Trainer, TrainingDiverged, carry

MakeRun = Callable[..., Run]


def _steps(run: Run, count: int) -> list[float]:
    return [run.trainer.step() for _ in range(count)]


def _assert_same(a: Trainer, b: Trainer) -> None:
    for mine, other in ((a.model, b.model), (a.average, b.average)):
        for (name, x), (_, y) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
            assert x.equal(y), name
    assert all(x.equal(y) for x, y in zip(a.state, b.state, strict=True))


@pytest.mark.parametrize("unit", ["text", "line"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_resumed_run_is_the_same_to_the_bit(
    make_run: MakeRun, tmp_path: Path, unit: str, precision: str, cell: str
) -> None:
    settings = {"unit": unit, "precision": precision, "cell": cell, "dropout": 0.3}
    whole, first = make_run(**settings), make_run(**settings)
    losses = _steps(whole, 12)
    early = _steps(first, 6)
    save_checkpoint(tmp_path / "half.pt", {"trainer": first.trainer.state_dict()})
    torch.manual_seed(123)  # nothing may hang on the global generator
    second = make_run(**settings)
    second.trainer.load_state_dict(load_checkpoint(tmp_path / "half.pt")["trainer"])
    assert early + _steps(second, 6) == losses
    _assert_same(whole.trainer, second.trainer)


def test_training_lowers_the_loss(make_run: MakeRun) -> None:
    run = make_run(steps=120, learning_rate=2e-2, dropout=0.0, hidden_size=48, num_layers=1)
    losses = _steps(run, 120)
    assert sum(losses[-10:]) / 10 < losses[0] - 1.5


def test_a_relu_network_does_not_burst_in_a_long_window(make_run: MakeRun) -> None:
    run = make_run(cell="rnn_relu", window=128, hidden_size=64, dropout=0.5)
    assert max(_steps(run, 10)) < 20


def test_two_seeds_are_two_networks_and_one_seed_is_one(make_run: MakeRun) -> None:
    a, b, c = make_run(seed=1), make_run(seed=1), make_run(seed=2)
    assert a.trainer.model.output.weight.equal(b.trainer.model.output.weight)
    assert not a.trainer.model.output.weight.equal(c.trainer.model.output.weight)


def test_the_average_follows_the_weights_at_its_decay(make_run: MakeRun) -> None:
    trainer = make_run().trainer
    before = trainer.average.output.weight.clone()
    trainer.step()  # decay of the first step: 1 / 10
    expected = before * 0.1 + trainer.model.output.weight * 0.9
    torch.testing.assert_close(trainer.average.output.weight, expected)


def test_a_run_that_diverges_says_so_and_leaves_the_weights(make_run: MakeRun) -> None:
    trainer = make_run().trainer
    with torch.no_grad():
        trainer.model.output.bias.fill_(float("nan"))
    before = trainer.model.embedding.weight.clone()
    with pytest.raises(TrainingDiverged, match="diverged at step 0"):
        trainer.step()
    assert trainer.model.embedding.weight.equal(before)


def test_a_stream_that_starts_afresh_has_no_state() -> None:
    state = (torch.ones(2, 3, 4),)
    carried = carry(state, torch.tensor([True, False, True]), 3)[0]
    assert carried[:, 1].eq(0).all()
    assert carried[:, [0, 2]].eq(1).all()
    assert carry(state, torch.zeros(5, dtype=torch.bool), 5)[0].shape == (2, 5, 4)


def test_draws_of_another_kind_of_device_are_replaced_by_the_seed_s_and_the_step_s(make_run: MakeRun) -> None:
    def resumed(step: int) -> list[float]:
        run = make_run(dropout=0.3)
        saved = run.trainer.state_dict()
        saved["generator"] = torch.zeros(16, dtype=torch.uint8)  # a CUDA generator's state has 16 bytes
        saved["progress"] = [step, 0, 0.0]
        run.trainer.load_state_dict(saved)
        return _steps(run, 3)

    assert resumed(5) == resumed(5)
    assert resumed(5) != resumed(6)
