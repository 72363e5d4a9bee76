"""A run can be made again from its card, whatever it was given, and its model can be served."""

import os
import shlex
import threading
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from nextchar.model.graph import open_graph
from nextchar_training.commands.export import export
from nextchar_training.commands.train import train
from nextchar_training.run.checkpoint import FILE_NAME, load_checkpoint, load_split, load_trained

_NETWORK = "--hidden-size 16 --embedding-size 8 --num-layers 1 --batch-size 4 --window 16 --evaluations 2"


def _train(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(train, [*arguments, "--output", str(tmp_path / "runs")])


def _tiny(tmp_path: Path, corpus: Path, *arguments: str) -> Result:
    return _train(tmp_path, "--corpus", str(corpus), "--name", "tiny", *_NETWORK.split(), *arguments)


def test_the_recorded_command_makes_the_run_again_bit_for_bit(
    tmp_path: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _tiny(tmp_path, text_file, "--steps", "4").exit_code == 0
    saved = load_checkpoint(tmp_path / "runs" / "tiny" / FILE_NAME)
    words = shlex.split(saved["provenance"]["command"])[2:]
    chosen = {"--unit", "--cell", "--dropout", "--learning-rate", "--weight-decay", "--precision", "--device"}
    chosen |= {"--num-threads", "--name"}
    assert chosen <= set(words)
    assert "auto" not in words
    monkeypatch.chdir(text_file.parent)
    assert _train(tmp_path / "again", *words).exit_code == 0
    again = load_checkpoint(tmp_path / "again" / "runs" / "tiny" / FILE_NAME)
    assert {**again["config"], "corpus": saved["config"]["corpus"]} == saved["config"]
    torch.testing.assert_close(again["trainer"]["average"], saved["trainer"]["average"], rtol=0, atol=0)


def test_a_text_that_can_be_read_once_is_kept_with_the_run(tmp_path: Path, text_file: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[text_file.read_bytes()])
    writer.start()
    result = _tiny(tmp_path, pipe, "--steps", "1")
    writer.join()
    assert result.exit_code == 0, result.output
    trained = load_trained(tmp_path / "runs" / "tiny" / FILE_NAME)
    assert str(load_split(trained).train).startswith(text_file.read_text()[:100])
    assert "nextchar train pipe " in trained.provenance["command"]


def test_a_file_whose_name_is_no_utf_8_is_trained_on_and_exported(tmp_path: Path, text_file: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.txt"))
    odd.write_bytes(text_file.read_bytes())
    assert _tiny(tmp_path, odd, "--steps", "1").exit_code == 0
    run, models = tmp_path / "runs" / "tiny", tmp_path / "models"
    exported = CliRunner().invoke(export, [str(run), "--models", str(models)])
    assert exported.exit_code == 0, exported.output
    card = open_graph(models / "tiny" / "1" / "model.onnx").card
    assert card.provenance["corpus_source"] == "file caf\\xe9.txt"


@pytest.mark.parametrize("name", ["my model", "../evil", ".hidden", "", "x" * 129, "caf\xe9"])
def test_a_name_that_no_server_takes_is_refused_before_anything_is_done(tmp_path: Path, name: str) -> None:
    commands = (train, ["--corpus", "x", "--name", name]), (export, [str(tmp_path), "--name", name])
    for command, arguments in commands:
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2
        assert "must be 1 to 128 characters" in result.stderr
