"""`nextchar judge fit` writes a judge that is loaded again, with a model of its own where none is given."""

import errno
import os
import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import open_graph
from nextchar.model.judging.judge import Judge
from nextchar_training.commands import judge_fit
from nextchar_training.commands.judge_fit import judge
from nextchar_training.commands.options import JUDGES_VARIABLE, MODELS_VARIABLE
from nextchar_training.text.error import CorpusError

_TINY = (
    "--unit line --hidden-size 32 --embedding-size 8 --num-layers 1 --batch-size 32 --steps 60 --seed 1 "
    "--evaluations 1 --num-threads 1 --precision float32"
)


def _write(folder: Path) -> None:
    draw = random.Random(0)
    syllables = ["ka", "ri", "to", "ne", "so", "mi", "la", "du"]
    good = {"".join(draw.choices(syllables, k=draw.randint(2, 6))) for _ in range(2500)}
    (folder / "good.txt").write_text("\n".join(sorted(good)))
    bad = {"".join(draw.choices("bcdfghjkqwxz", k=8)) for _ in range(60)}
    (folder / "noise.txt").write_text("\n".join(sorted(bad)))


def _fit(*arguments: str) -> Result:
    return CliRunner().invoke(judge, ["fit", *arguments], env={MODELS_VARIABLE: None, JUDGES_VARIABLE: None})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists, and a judge that was fitted with a model of its own."""
    path = tmp_path_factory.mktemp("judging")
    _write(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setattr(judge_fit, "_TRAINING", _TINY)
        found = _fit(*["--normal", "good.txt", "--bad", "noise.txt", "--name", "syllables"])
    assert found.exit_code == 0, found.output
    assert "kind known" in found.output
    return path


def test_a_judge_is_written_beside_a_model_that_was_trained_for_it(folder: Path) -> None:
    version = folder / "judges" / "syllables" / "1"
    assert sorted(p.name for p in version.iterdir()) == ["judge.json", "references.npz", "report.html"]
    found = Judge.load(version)
    assert [p.name for p in (folder / "models" / "syllables").iterdir()] == ["1"]
    graph = open_graph(folder / "models" / "syllables" / "1" / "step-int8.onnx")
    found.check_model(graph.digest)
    strings = ["karitone", "xqzkwfgh"]
    ids = [np.append(graph.vocabulary.encode(s), graph.vocabulary.end_id) for s in strings]
    verdicts = found.verdicts(strings, symbol_logprobs(graph, ids))
    assert verdicts.is_flagged.tolist() == [False, True]
    assert verdicts.kind(1) == "noise"
    assert found.card.provenance["command"].startswith("nextchar judge fit --normal good.txt")
    assert found.card.provenance["bad"][0]["num_strings"] == 60


def test_a_judge_is_fitted_with_a_model_that_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = _fit(*["--normal", "good.txt", "--model", "syllables", "--name", "syllables"])
    assert found.exit_code == 0, found.output
    assert Judge.load(folder / "judges" / "syllables" / "2").card.references is None


def test_a_fit_that_was_stopped_after_training_goes_on_with_its_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    first = Judge.load(folder / "judges" / "syllables" / "1").card
    arguments = ["--bad", "noise.txt", "--model", "syllables/1", "--name", "again"]
    found = _fit("--normal", "good.txt", *arguments)
    assert found.exit_code == 0, found.output
    again = Judge.load(folder / "judges" / "again" / "1").card
    assert (again.score, again.references) == (first.score, first.references)
    (folder / "other.txt").write_text("\n".join(sorted((folder / "good.txt").read_text().split())[100:]))
    found = _fit("--normal", "other.txt", *arguments)
    assert "cannot tell whether the model was trained on strings of 'other'" in found.output


def test_a_disk_that_is_full_leaves_no_part_of_a_judge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:  # noqa: ARG001
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(folder)
    monkeypatch.setattr(Path, "write_bytes", full)
    found = _fit("--normal", "good.txt", "--model", "syllables", "--name", "full")
    assert isinstance(found.exception, ModelFileError)
    assert "cannot write" in str(found.exception)
    assert "No space left" in str(found.exception)
    assert list((folder / "judges" / "full").iterdir()) == []


def test_a_judge_is_written_where_a_server_reads_it(folder: Path) -> None:
    arguments = ["fit", "--normal", str(folder / "good.txt"), "--model", "syllables", "--name", "served"]
    found = CliRunner().invoke(judge, arguments, env={MODELS_VARIABLE: str(folder / "models")})
    assert found.exit_code == 0, found.output
    assert Judge.load(folder / "judges" / "served" / "1").card.normal.model == "syllables"
    places = {MODELS_VARIABLE: str(folder / "models"), JUDGES_VARIABLE: str(folder / "elsewhere")}
    assert CliRunner().invoke(judge, arguments, env=places).exit_code == 0
    assert Judge.load(folder / "elsewhere" / "served" / "1", models=folder / "models").card.name == "served"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ("--model gone", InvalidRequest, "there is no model 'gone'"),
        ("--model syllables --version 1", InvalidRequest, "version 1 exists"),
        ("--model syllables --bad good.txt", CorpusError, "was a normal list given as --bad"),
        ("--model syllables --bad gone.txt", CorpusError, "cannot read"),
        ("--normal noise.txt", CorpusError, "'noise' has 60 strings, of which 15 are kept"),
        ("--normal noise.txt", CorpusError, "give 1,200 strings or more, or a --model"),
        ("--normal noise.txt --model syllables", CorpusError, "give more normal strings"),
        ("--false-alarm-rate 1e-6", CorpusError, "--false-alarm-rate must be at least 0.00022 (is 1e-06)"),
    ],
)
def test_bad_input_is_one_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(folder)
    found = _fit(*f"--normal good.txt --name syllables {arguments}".split())
    assert isinstance(found.exception, error)
    assert message in str(found.exception)


@pytest.mark.parametrize("bad", ["gone.txt", "good.txt"])
def test_a_bad_list_is_refused_before_a_model_is_trained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.chdir(folder)
    found = _fit(*["--normal", "good.txt", "--bad", bad, "--name", "new"])
    assert isinstance(found.exception, CorpusError)
    assert not (folder / "models" / "new").exists()
