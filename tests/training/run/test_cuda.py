"""A CUDA device is the same training, only faster. Skipped where torch finds none."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from support.tiny_models import CELL_NAMES

from nextchar.errors import InvalidRequest
from nextchar.model.card import Cell
from nextchar_training.config import TrainingConfig
from nextchar_training.page.progress import Reporter
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint, load_trained, save_checkpoint
from nextchar_training.run.run import HISTORY, Run

MakeRun = Callable[..., Run]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")


@pytest.fixture(autouse=True)
def _float32_products() -> Iterator[None]:
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


def _losses(run: Run, count: int) -> list[float]:
    return [run.trainer.step() for _ in range(count)]


@needs_cuda
@pytest.mark.parametrize("cell", CELL_NAMES)
@pytest.mark.parametrize("unit", ["text", "line"])
def test_losses_are_those_of_the_processor(make_run: MakeRun, cell: Cell, unit: str) -> None:
    settings = {"cell": cell, "unit": unit, "dropout": 0.0}
    here, there = make_run(**settings), make_run(**settings, device="cuda")
    assert _losses(there, 12) == pytest.approx(_losses(here, 12), rel=1e-4)
    assert there.evaluate() == pytest.approx(here.evaluate(), rel=1e-4)


@needs_cuda
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_resumed_run_is_the_same_to_the_bit(make_run: MakeRun, tmp_path: Path, cell: Cell) -> None:
    settings = {"cell": cell, "dropout": 0.3, "input_noise": 0.1, "device": "cuda"}
    whole, first = make_run(**settings), make_run(**settings)
    losses = _losses(whole, 12)
    early = _losses(first, 6)
    save_checkpoint(tmp_path / "half.pt", {"trainer": first.trainer.state_dict()})
    second = make_run(**settings)
    second.trainer.load_state_dict(load_checkpoint(tmp_path / "half.pt")["trainer"])
    assert early + _losses(second, 6) == losses
    for a, b in zip(whole.trainer.model.parameters(), second.trainer.model.parameters(), strict=True):
        assert a.equal(b)


@needs_cuda
def test_a_run_goes_on_on_a_machine_without_one(make_run: MakeRun) -> None:
    run = make_run(device="cuda", dropout=0.3)
    with Reporter(run.directory / HISTORY) as reporter:
        run.train(reporter, lambda: run.trainer.progress.step_count == 6)
    resumed = Run.resume(run.directory, device="cpu")
    for a, b in zip(run.trainer.average.parameters(), resumed.trainer.average.parameters(), strict=True):
        assert a.cpu().equal(b)
    with Reporter(run.directory / HISTORY) as reporter:
        assert resumed.train(reporter, lambda: False)
    resumed.finish()
    assert load_trained(run.directory / FILE_NAME).quality


def test_bfloat16_on_cuda_is_refused() -> None:
    # torch's autocast runs a cuDNN layer in float16 instead, without a word.
    with pytest.raises(InvalidRequest, match="bf16") as error:
        TrainingConfig(corpus="words.txt", name="tiny", precision="bf16", device="cuda:0")
    assert error.value.param == "precision"
