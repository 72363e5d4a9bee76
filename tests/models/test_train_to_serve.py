"""Each cell goes the whole way on a small text: train, export, serve, score, complete."""

import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.live_server import live_server

from nextchar_training.commands.export import export
from nextchar_training.commands.train import train

_TEXT = "the quick brown fox jumps over a lazy dog while seven kind wizards box up my quilt"
_WORDS = _TEXT.split()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    draw = random.Random(0)
    path = tmp_path / "words.txt"
    path.write_text("\n".join(" ".join(draw.choices(_WORDS, k=5)) for _ in range(600)) + "\n")
    return path


def run(command: object, *arguments: str) -> None:
    done = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_model_that_has_learnt_words_prefers_them(text: Path, tmp_path: Path, cell: str) -> None:
    runs, models = tmp_path / "runs", tmp_path / "models"
    size = ["--hidden-size", "64", "--num-layers", "1", "--embedding-size", "16", "--window", "32"]
    length = ["--batch-size", "16", "--steps", "150", "--learning-rate", "0.01", "--num-threads", "1"]
    run(train, "--corpus", str(text), "--name", cell, "--cell", cell, *size, *length, "--output", str(runs))
    run(export, str(runs / cell), "--models", str(models))
    with live_server(models) as server:
        words = {"model": cell, "input": ["wizards box up", "wzdrasi obx pu"]}
        known, scrambled = server.post("/v1/score", words).json()["data"]
        assert known["logprob"] - scrambled["logprob"] >= 10
        body = {"model": cell, "prompt": "the quick ", "max_tokens": 100, "temperature": 0, "seed": 1}
        answer = server.post("/v1/completions", body).json()["choices"][0]["text"]
        said = answer.replace("\n", " ").split(" ")[:-1]
        assert sum(word in _WORDS for word in said) > len(said) / 2, answer
