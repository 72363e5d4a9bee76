"""Each cell goes the whole way on a small text, by one command: train, serve, score, complete."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.live_server import LiveServer, live_server
from support.tiny_runs import WORDS

from nextchar_training.commands.train import train

_CELLS = ("rnn", "lstm", "gru")
_SIZE = ["--hidden-size", "64", "--num-layers", "1", "--embedding-size", "16", "--window", "32"]
_LENGTH = ["--batch-size", "16", "--learning-rate", "0.01", "--num-threads", "1", "--evaluations", "1"]
_FLAT = "flat"  # a text without any newline


def _run(command: object, *arguments: str) -> None:
    done = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output


def _make(folder: Path, name: str, text: str, *options: str) -> None:
    corpus = folder / f"{name}.txt"
    corpus.write_text(text)
    output = ["--output", str(folder / "runs"), "--models", str(folder / "models")]
    _run(train, str(corpus), *_SIZE, *_LENGTH, *options, *output)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of one model for every cell, and of one that has read no newline."""
    folder, draw = tmp_path_factory.mktemp("served"), random.Random(0)
    lines = [" ".join(draw.choices(WORDS, k=5)) for _ in range(600)]
    for cell in _CELLS:
        _make(folder, cell, "\n".join(lines) + "\n", "--cell", cell, "--steps", "120")
    _make(folder, _FLAT, " ".join(lines), "--steps", "60")
    with live_server(folder / "models") as running:
        yield running


@pytest.mark.parametrize("cell", _CELLS)
def test_a_model_that_has_learnt_words_prefers_them(server: LiveServer, cell: str) -> None:
    words = {"model": cell, "input": ["wizards box up", "wzdrasi obx pu"]}
    known, scrambled = server.post("/v1/score", words).json()["data"]
    assert known["logprob"] - scrambled["logprob"] >= 10
    body = {"model": cell, "prompt": "the quick ", "max_tokens": 100, "temperature": 0, "seed": 1}
    answer = server.post("/v1/completions", body).json()["choices"][0]["text"]
    said = answer.replace("\n", " ").split(" ")[:-1]
    assert sum(word in WORDS for word in said) > len(said) / 2, answer


def test_a_text_without_newlines_is_served_whole_or_in_pieces(server: LiveServer) -> None:
    text = "wizards box up my quilt"

    def score(string: str, context: str = "") -> float:
        body = {"model": _FLAT, "input": [string], "context": context}
        return float(server.post("/v1/score", body).json()["data"][0]["logprob"])

    def following(context: str, character: str) -> float:
        data = server.post("/v1/next", {"model": _FLAT, "input": context}).json()["data"]
        return float(next(item["logprob"] for item in data if item["char"] == character))

    whole = score(text)
    assert whole == pytest.approx(sum(following(text[:k], text[k]) for k in range(len(text))), abs=1e-4)
    for k in (1, 7, 13, len(text) - 1):
        assert whole == pytest.approx(score(text[:k]) + score(text[k:], text[:k]), abs=1e-4)
    assert score("wizards box") - score("wzdrasi obx") >= 3
