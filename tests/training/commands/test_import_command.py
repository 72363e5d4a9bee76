"""`nextchar import` writes a model that is served, of what PyTorch saves."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from training.foreign.imported import import_model, served_logprobs
from training.foreign.makers import CHARS, TEXT, OfModules

from nextchar.model.graph import open_graph


@pytest.fixture
def checkpoint(tmp_path: Path) -> OfModules:
    torch.manual_seed(0)
    module = OfModules("GRU").eval()
    torch.save({"epoch": 3, "model_state": module.state_dict()}, tmp_path / "mine.pt")
    (tmp_path / "symbols.json").write_text(json.dumps(CHARS))
    return module


def test_a_checkpoint_becomes_a_version_and_what_is_given_is_measured(
    checkpoint: OfModules, tmp_path: Path
) -> None:
    (tmp_path / "heldout.txt").write_text(TEXT * 40)
    result = import_model(tmp_path, "mine.pt", tmp_path / "models", "--text", str(tmp_path / "heldout.txt"))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"wrote {tmp_path / 'models' / 'mine' / '1'}: 28 characters")
    assert "int8 costs" in result.stdout
    assert "held out: network" in result.stdout
    ids = torch.tensor([CHARS.index(character) for character in "\n" + TEXT])
    with torch.no_grad():
        expected = checkpoint(ids[:-1]).double().log_softmax(-1)[range(len(TEXT)), ids[1:]]
    np.testing.assert_allclose(served_logprobs(tmp_path / "models" / "mine" / "1"), expected, atol=1e-4)
    card = open_graph(tmp_path / "models" / "mine" / "1" / "step-int8.onnx").card
    assert card.provenance["imported_from"] == "mine.pt"
    assert {entry.name for entry in card.quality} == {"network", "network-int8"}
    assert import_model(tmp_path, "mine.pt", tmp_path / "models").exit_code == 0
    second = open_graph(tmp_path / "models" / "mine" / "2" / "step-int8.onnx").card
    assert second.quality == []  # a text that the network wrote says nothing of how good it is


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--begin", "\\n"], None),
        (["--begin", "!"], "begin must be one of the symbols (is '!')"),
        (["--tensor", "x"], "must be ROLE=NAME"),
        (["--tensor", "x=y"], "role must be embedding"),
        (["--name", "../evil"], "must be 1 to 128 characters"),
        (["--cell", "lstm"], "cell must be gru or gru-reset-first"),
        (["--cell", "lstm-coupled"], "is not one of 'rnn', 'relu', 'lstm', 'gru', 'gru-reset-first'"),
        (["--text", "absent.txt"], "corpus must be a file"),
        (["--text", "digits.txt"], "has '1'"),
        (["--tensor", "recurrent_0=decoder.bias"], "recurrent_0 must be a matrix"),
    ],
)
@pytest.mark.usefixtures("checkpoint")
def test_what_is_given_is_taken_or_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("digits.txt").write_text("day 1 day 2\n" * 9)
    result = import_model(tmp_path, "mine.pt", tmp_path / "models", *arguments)
    assert result.exit_code == (0 if reason is None else 2), result.output
    assert reason is None or reason in result.stderr.splitlines()[-1]
    assert reason is None or not (tmp_path / "models").exists()


@pytest.mark.usefixtures("checkpoint")
def test_the_card_records_what_was_given_and_the_command_says_what_it_took(tmp_path: Path) -> None:
    given = ["--begin", "\\n", "--cell", "gru", "--tensor", "output=decoder.weight", "--name", "other"]
    result = import_model(tmp_path, "mine.pt", tmp_path / "models", *given)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "took encoder.weight for embedding" in lines
    assert "took decoder.weight for output" in lines
    assert any(line.startswith("not compared with the original") for line in lines)
    card = open_graph(tmp_path / "models" / "other" / "1" / "model.onnx").card
    words = shlex.split(str(card.provenance["command"]))
    assert words[:3] == ["nextchar", "import", "mine.pt"]
    pairs = set(zip(words[3::2], words[4::2], strict=True))
    assert pairs == {("--symbols", "symbols.json"), *zip(given[::2], given[1::2], strict=True)}


@pytest.mark.usefixtures("checkpoint")
def test_a_file_whose_name_is_no_models_needs_a_name(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").rename(tmp_path / "my model.pt")
    result = import_model(tmp_path, "my model.pt", tmp_path / "models")
    assert result.exit_code == 2
    assert "give --name" in result.stderr
    assert import_model(tmp_path, "my model.pt", tmp_path / "models", "--name", "mine").exit_code == 0
