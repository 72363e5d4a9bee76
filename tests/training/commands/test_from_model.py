"""`nextchar train --from` goes on from a model that is served, on another text."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.tiny_runs import write_words

from nextchar.model.graph import open_graph
from nextchar_training.commands.export import export
from nextchar_training.commands.train import train
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint

_SIZES = shlex.split("--hidden-size 16 --embedding-size 8 --num-layers 1 --window 16 --batch-size 4")


def _train(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(train, [*arguments, "--evaluations", "2", "--output", str(folder / "runs")])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version of a model that has learnt a little."""
    folder = tmp_path_factory.mktemp("served")
    corpus = str(write_words(folder))
    trained = _train(folder, "--corpus", corpus, "--name", "base", "--steps", "30", *_SIZES)
    assert trained.exit_code == 0, trained.output
    exported = CliRunner().invoke(export, [str(folder / "runs/base"), "--models", str(folder / "models")])
    assert exported.exit_code == 0, exported.output
    return folder / "models" / "base" / "1"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A text with characters that the model does not know."""
    path = tmp_path / "other.txt"
    path.write_text(write_words(tmp_path).read_text().replace("a", "ä").replace("e", "E"))
    return path


@pytest.mark.parametrize("name", ["", "model.onnx"])
def test_a_run_starts_from_the_weights_size_and_characters_of_a_model(
    served: Path, other: Path, tmp_path: Path, name: str
) -> None:
    given = ["--corpus", str(other), "--name", "on", "--steps", "2", "--from", str(served / name)]
    result = _train(tmp_path, *given, "--window", "16")
    assert result.exit_code == 0, result.output
    before = re.search(r"before the first step: development (\d\.\d{4})", result.stderr)
    saved = load_checkpoint(tmp_path / "runs" / "on" / FILE_NAME)
    assert before is not None
    assert saved["provenance"]["development_nats_before"] == float(before[1])
    config, base = saved["config"], open_graph(served / "model.onnx").card
    assert (config["hidden_size"], config["embedding_size"], config["num_layers"]) == (16, 8, 1)
    assert config["learning_rate"] == pytest.approx(3e-3 / 3)
    characters = saved["vocabulary"]["characters"]
    assert characters[: len(base.vocabulary.characters)] == base.vocabulary.characters
    assert {"ä", "E"} <= set(characters)
    origin = saved["provenance"]["origin"]
    assert (origin["model"], origin["version"], origin["corpus"]) == ("base", "1", "words")
    assert "--from" in saved["provenance"]["command"]


@pytest.mark.parametrize("name", [".", "model.onnx"])
def test_a_model_in_the_folder_where_one_is_has_its_name_too(
    served: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(served)
    assert (
        _train(tmp_path, "--corpus", str(other), "--name", "on", "--steps", "1", "--from", name).exit_code
        == 0
    )
    origin = load_checkpoint(tmp_path / "runs" / "on" / FILE_NAME)["provenance"]["origin"]
    assert (origin["model"], origin["version"]) == ("base", "1")


def test_an_ngram_model_goes_on_from_none(served: Path, other: Path, tmp_path: Path) -> None:
    given = ["--corpus", str(other), "--name", "n", "--cell", "ngram", "--from", str(served)]
    result = CliRunner().invoke(train, [*given, "--output", str(tmp_path / "runs")])
    assert result.exit_code == 2
    assert "--from is for networks" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_on_its_own_text_a_model_begins_where_it_was(served: Path, tmp_path: Path) -> None:
    corpus = str(served.parents[2] / "words.txt")
    _train(tmp_path, "--corpus", corpus, "--name", "on", "--steps", "1", "--from", str(served))
    _train(tmp_path, "--corpus", corpus, "--name", "new", "--steps", "1", *_SIZES)
    first, new = (load_checkpoint(tmp_path / "runs" / name / FILE_NAME) for name in ("on", "new"))
    base = open_graph(served / "model.onnx").card
    (stream,) = (entry for entry in base.quality if entry.name == "network" and entry.protocol == "stream")
    assert first["provenance"]["development_nats_before"] == pytest.approx(stream.nats_per_char, abs=0.3)
    assert first["provenance"]["development_nats_before"] < new["best"]["development_nats"]


def test_a_run_resumes_without_the_model_it_started_from(served: Path, other: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(served, tmp_path / "base" / "1"))
    assert (
        _train(
            tmp_path, "--corpus", str(other), "--name", "on", "--steps", "2", "--from", str(base)
        ).exit_code
        == 0
    )
    shutil.rmtree(base)
    again = _train(tmp_path, "--name", "on", "--resume")
    assert again.exit_code == 0, again.output
    exported = CliRunner().invoke(export, [str(tmp_path / "runs/on"), "--models", str(tmp_path / "models")])
    assert exported.exit_code == 0, exported.output
    assert open_graph(tmp_path / "models/on/1/model.onnx").card.provenance["origin"]["model"] == "base"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--hidden-size", "32"], "--hidden-size must be 16 as in the model of --from (is 32)"),
        (["--cell", "gru"], "--cell must be lstm"),
        (["--unit", "line"], "--unit must be text"),
    ],
)
def test_what_a_model_decides_cannot_be_given_otherwise(
    served: Path, other: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    result = _train(tmp_path, "--corpus", str(other), "--name", "on", "--from", str(served), *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr.splitlines()[-1]


def test_a_step_graph_and_a_missing_model_are_refused(served: Path, other: Path, tmp_path: Path) -> None:
    for name, reason in (("step-int8.onnx", "is a step graph"), ("absent", "must be the folder of a model")):
        given = ["--corpus", str(other), "--name", "on", "--from", str(served / name)]
        result = _train(tmp_path, *given)
        assert result.exit_code == 2
        assert reason in result.stderr.splitlines()[-1]
