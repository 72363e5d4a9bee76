"""A small text and small runs over it, for the tests of training."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nextchar_training.config import TrainingConfig
from nextchar_training.run.run import Run

_TEXT = "the quick brown fox jumps over a lazy dog while seven kind wizards box up my quilt"
_WORDS = _TEXT.split()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """About 6,000 characters in lines of one to six words."""
    draw = random.Random(0)
    lines = [" ".join(draw.choices(_WORDS, k=draw.randint(1, 6))) for _ in range(340)]
    path = tmp_path / "words.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(text_file: Path, tmp_path: Path) -> MakeRun:
    """A run of a tiny network over the small text, in a folder of its own."""

    def make(**changes: Any) -> Run:
        values: dict[str, Any] = {
            "corpus": str(text_file),
            "name": "tiny",
            "hidden_size": 16,
            "embedding_size": 8,
            "num_layers": 2,
            "batch_size": 4,
            "window": 16,
            "steps": 12,
            "evaluations": 2,
        }
        config = TrainingConfig(**(values | changes))
        directory = tmp_path / "runs" / config.name
        directory.mkdir(parents=True, exist_ok=True)
        return Run(directory, config, "nextchar train --corpus words.txt --name tiny")

    return make
