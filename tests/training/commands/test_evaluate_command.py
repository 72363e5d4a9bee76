"""`nextchar evaluate` measures again what the run reported, however its text was cut."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.tiny_runs import finished, tiny_run, write_words

from nextchar.errors import InvalidRequest
from nextchar.model.graph import open_graph
from nextchar_training.commands.evaluate import evaluate
from nextchar_training.commands.export import export
from nextchar_training.commands.train import train
from nextchar_training.text.error import CorpusError

_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 1 --batch-size 4 --window 16 --steps 1"
_TINY = [*_NETWORK.split(), "--num-threads", "1", "--precision", "float32", "--evaluations", "1"]


def _evaluate(file: Path, *arguments: str) -> list[str]:
    found = CliRunner().invoke(evaluate, [str(file), *arguments])
    assert found.exit_code == 0, found.output
    return found.output.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty documents of eight lines, and a list beside them."""
    lines = write_words(tmp_path).read_text().splitlines()
    (tmp_path / "texts").mkdir()
    for k in range(30):
        (tmp_path / "texts" / f"{k:02}.txt").write_text("\n".join(lines[8 * k : 8 * k + 8]) + "\n")
    (tmp_path / "texts" / "list.md").write_text("\n".join(lines[:50]))
    return tmp_path


@pytest.mark.parametrize(
    ("how", "files"),
    [
        ("", "--corpus texts"),
        ("--split document --heldout 0.3 --pattern *.txt", "--corpus texts"),
        ("--unit line --layout spaced --development 0 --window full", "--corpus words.txt"),
        ("--symbols bytes --heldout 700", "--corpus words.txt"),
        (
            "--layout spaced --normalization NFC",
            "--corpus texts/00.txt --development-file texts/01.txt --heldout-file texts/list.md",
        ),
    ],
)
def test_the_figures_of_a_run_are_measured_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, how: str, files: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NEXTCHAR_MODELS")
    given = [*files.split(), "--name", "m", *_TINY, *how.split()]
    assert CliRunner().invoke(train, given).exit_code == 0
    version = Path("models/m/1")
    for file, name in (("model.onnx", "network"), ("step-int8.onnx", "network-int8")):
        lines = _evaluate(version / file, *files.split())
        for entry in (q for q in open_graph(version / file).card.quality if q.name == name):
            measured = next(line for line in lines if line.split()[:2] == [file, entry.protocol])
            assert f"{entry.nats_per_char:.4f} nats" in measured
            assert f"({entry.num_chars:,} characters)" in measured
        assert f"text: {open_graph(version / file).card.provenance['split']}" in lines


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version, under which are the run and its text."""
    folder = tmp_path_factory.mktemp("model")
    finished(tiny_run(folder / "runs", write_words(folder)))
    done = CliRunner().invoke(export, [str(folder / "runs" / "tiny"), "--models", str(folder / "models")])
    assert done.exit_code == 0, done.output
    assert "int8 costs" in done.output
    return folder / "models" / "tiny" / "1"


def _refused(file: Path, *arguments: str) -> Result:
    found = CliRunner().invoke(evaluate, [str(file), *arguments])
    assert isinstance(found.exception, InvalidRequest)
    return found


def test_evaluating_without_the_text_says_what_to_give(model: Path) -> None:
    found = _refused(model / "model.onnx")
    assert "give --corpus" in str(found.exception)


def test_more_than_was_held_out_is_not_measured(model: Path) -> None:
    words = model.parents[2] / "words.txt"
    found = _refused(model / "model.onnx", "--corpus", str(words), "--heldout", "0.5")
    assert "give at most 0.1" in str(found.exception)
    less = _evaluate(model / "model.onnx", "--corpus", str(words), "--heldout", "200")
    assert "(200 characters)" in less[0]


def test_a_protocol_of_another_unit_is_refused(model: Path) -> None:
    words = model.parents[2] / "words.txt"
    found = _refused(model / "model.onnx", "--corpus", str(words), "--protocol", "line")
    assert "this model's is text" in str(found.exception)


def test_another_text_is_said_to_be_another(model: Path, tmp_path: Path) -> None:
    other = write_words(tmp_path)
    other.write_text(other.read_text() * 2)
    lines = _evaluate(model / "model.onnx", "--corpus", str(other), "--max-chars", "100")
    assert "(100 characters)" in lines[0]
    assert any(line.startswith("text: not the text of the training; ") for line in lines)


def test_a_text_with_a_character_that_the_model_refuses_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NEXTCHAR_MODELS")
    given = ["--corpus", "words.txt", "--name", "m", *_TINY, "--unknown", "refuse"]
    assert CliRunner().invoke(train, given).exit_code == 0
    Path("other.txt").write_text(Path("words.txt").read_text() + "\N{SNOWMAN}" * 9)
    with pytest.raises(CorpusError, match="has '\N{SNOWMAN}'"):
        CliRunner().invoke(
            evaluate, ["models/m/1/model.onnx", "--corpus", "other.txt"], catch_exceptions=False
        )
