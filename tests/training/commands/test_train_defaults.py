"""`nextchar train FILE` and nothing else: from a text to a model that is served, or one clear sentence."""

import io
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.tiny_runs import write_words

from nextchar.model.graph import open_graph
from nextchar_training.commands import recipe
from nextchar_training.commands.run_text import run_name
from nextchar_training.commands.train import train
from nextchar_training.page import samples
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint
from nextchar_training.run.step import Trainer

_TINY_SIZES = {unit: (recipe.Size(1e12, 1, 16, 8, 0.1, 4, 16, 0.2),) for unit in recipe.SIZES}
_QUICK = ["--num-threads", "1", "--precision", "float32", "--evaluations", "2"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and models go into the working folder; the rule is that of networks of seconds, on one core."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(samples, "NUM_CHARS", 20)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEXTCHAR_MODELS")
    monkeypatch.setattr(recipe, "SIZES", _TINY_SIZES)


def _train(*arguments: str, **keywords: Any) -> Result:
    return CliRunner().invoke(train, arguments, **keywords)


def test_a_file_and_nothing_else_becomes_a_model_that_is_served(tmp_path: Path) -> None:
    done = _train(write_words(tmp_path).name)
    assert done.exit_code == 0, done.output
    assert "the same as: nextchar train words.txt --unit text --cell lstm " in done.stderr
    assert "held out: kneser-ney-7" in done.stderr
    assert done.stderr.splitlines()[-1] == "ready to be served: nextchar serve"
    folder = tmp_path / "models" / "words" / "1"
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "step-int8.onnx"}
    assert f"wrote {folder.relative_to(tmp_path)}" in done.stderr


def test_the_command_that_is_told_and_recorded_makes_the_same_run(tmp_path: Path) -> None:
    told = _train(write_words(tmp_path).name, "--no-export").stderr
    (command,) = [line for line in told.splitlines() if line.startswith("the same as: ")]
    first = load_checkpoint(tmp_path / "runs" / "words" / FILE_NAME)
    assert command.removeprefix("the same as: ") == first["provenance"]["command"]
    assert _train(*shlex.split(command)[5:], "--output", "again", "--no-export").exit_code == 0
    again = load_checkpoint(tmp_path / "again" / "words" / FILE_NAME)
    assert again["config"] == first["config"]
    assert all(a.equal(b) for a, b in zip(*(_weights(run) for run in (first, again)), strict=True))


def _weights(saved: dict[str, Any]) -> list[Any]:
    return list(saved["trainer"]["average"].values())


def test_no_export_leaves_the_run_as_it_is(tmp_path: Path) -> None:
    done = _train(write_words(tmp_path).name, "--no-export")
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == f"report: {Path('runs/words/report.html')}"
    assert not (tmp_path / "models").exists()


def test_a_run_that_was_stopped_is_exported_at_its_end_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_words(tmp_path)
    given = ["words.txt", *_QUICK, "--steps", "6", "--models", "served"]
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", _stopping(Trainer.step))
        stopped = _train(*given)
    assert stopped.exit_code == 128 + signal.SIGTERM
    assert not (tmp_path / "served").exists()
    continuation = stopped.stderr.splitlines()[-1].removeprefix("stopped; continue with: ")
    assert continuation == "nextchar train --resume --name words --models served"
    ended = _train(*shlex.split(continuation)[2:])
    assert ended.stderr.splitlines()[-1] == "ready to be served: nextchar serve --models served"
    again = _train(*shlex.split(continuation)[2:])
    assert f"exported already: {Path('served/words/1')}" in again.stderr
    assert [path.name for path in (tmp_path / "served" / "words").iterdir()] == ["1"]


def _stopping(step: Callable[[Trainer], float]) -> Callable[[Trainer], float]:
    def stopping(self: Trainer) -> float:
        if self.progress.step_count == 3:
            signal.raise_signal(signal.SIGTERM)
        return step(self)

    return stopping


def test_another_run_of_the_name_is_the_next_version(tmp_path: Path) -> None:
    write_words(tmp_path)
    for seed in ("1", "2"):
        assert _train("words.txt", "--seed", seed, "--output", f"runs{seed}").exit_code == 0
    versions = sorted((tmp_path / "models" / "words").iterdir())
    seeds = [open_graph(folder / "model.onnx").card.provenance["seed"] for folder in versions]
    assert ([folder.name for folder in versions], seeds) == (["1", "2"], [1, 2])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mine.txt", "mine"),
        ("/a/b/my book (2nd ed.).txt.gz", "my-book-2nd-ed"),
        ("M\xe4rchen.txt", "Marchen"),
        ("../src/", "src"),
        (".hidden", "hidden"),
        ("-", "text"),
        ("\u8a18.txt", "text"),
        ("x" * 200 + ".txt", "x" * 128),
    ],
)
def test_a_run_is_named_after_its_text_as_a_server_takes_it(text: str, name: str) -> None:
    assert run_name(text) == name


def test_a_folder_is_named_though_it_is_the_one_one_works_in(tmp_path: Path) -> None:
    assert run_name(".") == run_name(str(tmp_path)) != "text"


_BAD: dict[str, tuple[bytes | None, str]] = {
    "empty.txt": (b"", "corpus 'empty' is empty: it needs at least two distinct characters"),
    "one.txt": (b"a", "corpus 'one' must have at least two distinct characters (it has only 'a')"),
    "six.txt": (b"abcabc", "lower --min-count"),
    "binary.bin": (bytes(range(128, 256)) * 9, "is not UTF-8: byte 0x80 at offset 0, in line 1; convert it"),
    "zeros.bin": (bytes(999), "has NUL bytes"),
    "none": (None, "corpus must be a file, a folder or one of"),
}


@pytest.mark.parametrize("name", _BAD)
def test_a_text_that_cannot_be_trained_on_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, name: str
) -> None:
    content, reason = _BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = _train(name)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name] * (content is not None)


def test_a_folder_without_texts_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    done = _train("texts")
    assert done.stderr == "Error: the folder 'texts' has no file that matches --pattern '*'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


def test_a_binary_file_in_a_folder_is_told_with_how_to_leave_it_out(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    write_words(tmp_path / "texts")
    (tmp_path / "texts" / "picture.png").write_bytes(b"\x89PNG")
    done = _train("texts")
    assert done.exit_code == 2
    assert "picture.png' is not UTF-8" in done.stderr
    assert done.stderr.endswith("; or choose the files by --pattern\n")


def test_what_was_read_from_standard_input_is_removed_if_it_cannot_be_trained_on(tmp_path: Path) -> None:
    done = _train("-", input=io.BytesIO(b"a"))
    assert "has only 'a'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_that_exists_is_told_and_stays(tmp_path: Path) -> None:
    write_words(tmp_path)
    assert _train("words.txt").exit_code == 0
    again = _train("words.txt")
    assert again.exit_code == 2
    assert again.stderr.splitlines()[-1] == (
        f"Error: {Path('runs/words')} holds a run already: add --resume, or choose another --name"
    )
    assert (tmp_path / "runs" / "words" / FILE_NAME).exists()


def test_a_folder_of_models_that_cannot_be_is_told_before_the_run(tmp_path: Path) -> None:
    write_words(tmp_path)
    done = _train("words.txt", "--models", "words.txt/models")
    assert done.exit_code == 2
    assert "--models must be a folder that can be written into (is 'words.txt/models')" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["words.txt"]


def test_a_run_that_cannot_be_exported_is_kept_and_told_how_to_be(tmp_path: Path) -> None:
    write_words(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "words").touch()
    done = _train("words.txt")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == (
        f"Error: cannot write {Path('models/words/1')}: Not a directory; the run itself is kept: nextchar "
        "export runs/words --models FOLDER tries again"
    )
    assert (tmp_path / "runs" / "words" / FILE_NAME).exists()


def test_one_text_is_given_in_one_way() -> None:
    assert "give one text" in _train("a.txt", "--corpus", "b.txt").stderr
    assert "which text?" in _train("--resume").stderr


def test_held_out_lines_that_are_trained_on_are_told(tmp_path: Path) -> None:
    lines = [f"{chr(97 + k % 26)}{chr(97 + k // 26)}word" for k in range(200)]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    (tmp_path / "held.txt").write_text("\n".join(lines[:3] + ["newword"] * 3))
    done = _train("train.txt", "--heldout-file", "held.txt", "--no-export", *_QUICK)
    assert "3 of the 6 lines that are held out are trained on too" in done.stderr
