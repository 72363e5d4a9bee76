"""Processes that torchrun starts learn what one learns, and agree on what is shared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from support.ports import free_port
from support.tiny_runs import write_words

from nextchar_training.commands.train import train
from nextchar_training.page.progress import read_history
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint

_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 2 --batch-size 5 --window 16 --dropout 0.4"
_COMMON = f"{_NETWORK} --input-noise 0.1 --num-threads 1 --precision float32 --device cpu --evaluations 2"
_UNITS = ("text", "line")
_NUM_STEPS, _SECONDS = 8, 200

# A process joins one group in its life, as under torchrun.
_TRAINS = "import sys; from nextchar_training.commands.train import train; train(sys.argv[1:])"
_SHARES = """
import json
import torch
from nextchar_training.run.processes import joined_group

with joined_group("cpu") as group:
    mine = torch.full((1, 3, 2), float(group.rank + 1))[:, group.columns(3)]
    shared = {
        "broadcast": group.broadcast(group.rank + 0.5),
        "sum": group.sum(torch.tensor(group.rank + 1.0)).item(),
        "gathered": group.gather(mine, 3)[0, :, 0].tolist(),
    }
    print(json.dumps(shared))
"""


def _arguments(folder: Path, unit: str) -> list[str]:
    corpus = folder.parent / "words.txt"
    given = ["--corpus", str(corpus), "--name", unit, "--unit", unit, "--steps", str(_NUM_STEPS)]
    return [*given, *_COMMON.split(), "--output", str(folder)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that one process made, in `alone`."""
    folder = tmp_path_factory.mktemp("processes")
    write_words(folder)
    for unit in _UNITS:
        made = CliRunner().invoke(train, _arguments(folder / "alone", unit))
        assert made.exit_code == 0, made.output
    return folder


def _two(program: str, *arguments: str) -> list[str]:
    """Runs a program in two processes of one group, as torchrun starts them; returns what each printed."""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    environment |= {"MASTER_PORT": str(free_port()), "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=os.environ | environment | {"RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=_SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0, 0], outputs
    return [out for out, _ in outputs]


@pytest.mark.parametrize("unit", _UNITS)
def test_two_processes_learn_what_one_learns(folder: Path, unit: str) -> None:
    _two(_TRAINS, *_arguments(folder / "group", unit))
    alone, group = (read_history(folder / who / unit / "history.jsonl") for who in ("alone", "group"))
    assert [row.step for row in group] == [row.step for row in alone] == list(range(1, _NUM_STEPS + 1))
    for mine, other in zip(alone, group, strict=True):
        assert other.train_nats == pytest.approx(mine.train_nats, abs=1e-4)
        assert other.gradient_norm == pytest.approx(mine.gradient_norm, abs=1e-3)
        assert other.development_nats == pytest.approx(mine.development_nats, abs=1e-4)
    saved = [load_checkpoint(folder / who / unit / FILE_NAME)["trainer"] for who in ("alone", "group")]
    assert saved[0]["state"][0].shape == saved[1]["state"][0].shape == (2, 5, 16)
    torch.testing.assert_close(saved[0]["state"], saved[1]["state"], atol=1e-3, rtol=0)
    torch.testing.assert_close(saved[0]["average"], saved[1]["average"], atol=1e-3, rtol=0)


def test_the_leaders_value_the_sum_and_all_columns_are_known_to_every_process() -> None:
    shared = [json.loads(printed) for printed in _two(_SHARES)]
    columns = [1.0, 2.0, 2.0]  # the leader has the first of three, the other process the rest
    assert shared == [{"broadcast": 0.5, "sum": 3.0, "gathered": columns}] * 2
