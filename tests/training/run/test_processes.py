import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.ports import free_port

from nextchar_training.page.progress import Row, read_history
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint
from nextchar_training.run.processes import ProcessGroup

_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 2 --batch-size 5 --window 16 --dropout 0.4"
_COMMON = f"{_NETWORK} --input-noise 0.1 --num-threads 1 --precision float32 --device cpu --evaluations 4"


def _train(folder: Path, corpus: Path, name: str, size: int, *arguments: str) -> list[Row]:
    """Run `size` processes of a group, as torchrun starts them; the leader's history."""
    command = [
        sys.executable,
        "-m",
        "nextchar_training.commands.train",
        "--corpus",
        str(corpus),
        "--name",
        name,
    ]
    command += [*_COMMON.split(), *arguments, "--output", str(folder)]
    shared = {"PYTHONPATH": os.pathsep.join(sys.path), "WORLD_SIZE": str(size)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "GLOO_SOCKET_IFNAME": "lo"}
    processes = [
        subprocess.Popen(
            command, env=os.environ | shared | {"RANK": str(rank)}, stderr=subprocess.PIPE, text=True
        )
        for rank in range(size)
    ]
    outputs = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, outputs
    return read_history(folder / name / "history.jsonl")


@pytest.mark.parametrize("unit", ["text", "line"])
def test_two_processes_learn_what_one_learns(tmp_path: Path, text_file: Path, unit: str) -> None:
    alone = _train(tmp_path, text_file, "alone", 1, "--steps", "20", "--unit", unit)
    group = _train(tmp_path, text_file, "group", 2, "--steps", "20", "--unit", unit)
    assert [row.step for row in group] == [row.step for row in alone]
    for mine, other in zip(alone, group, strict=True):
        assert other.train_nats == pytest.approx(mine.train_nats, abs=1e-4)
        assert other.gradient_norm == pytest.approx(mine.gradient_norm, abs=1e-3)
        assert other.development_nats == pytest.approx(mine.development_nats, abs=1e-4)
    saved = [load_checkpoint(tmp_path / name / FILE_NAME)["trainer"] for name in ("alone", "group")]
    assert saved[0]["state"][0].shape == saved[1]["state"][0].shape == (2, 5, 16)
    torch.testing.assert_close(saved[0]["state"], saved[1]["state"], atol=1e-3, rtol=0)
    torch.testing.assert_close(saved[0]["average"], saved[1]["average"], atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_shares_of_a_team_are_the_whole_batch(size: int) -> None:
    for num_columns in (1, 2, 5, 32):
        groups = [ProcessGroup(rank, size) for rank in range(size)]
        columns = [
            k
            for t in groups
            if not t.is_idle(num_columns)
            for k in range(num_columns)[t.columns(num_columns)]
        ]
        assert columns == list(range(num_columns))


def test_a_process_by_itself_agrees_with_itself() -> None:
    group, part = ProcessGroup(), torch.ones(1, 2, 3)
    assert group.is_leader
    assert group.broadcast(0.5) == 0.5
    assert group.gather(part, 2) is part
