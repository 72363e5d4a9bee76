"""Every shipped model loads, scores its golden strings, and has a card that agrees with its description."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.core import ParameterSource
from support.tiny_shakespeare import tiny_shakespeare

from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import open_graph
from nextchar_training.commands.train import train
from nextchar_training.text.heldout import heldout_split

_MODELS = Path(__file__).parents[2] / "models"
_VERSIONS = sorted(path.parent for path in _MODELS.glob("*/*/model.onnx"))
_README = (_MODELS / "README.md").read_text()
_COMMANDS = re.findall(r"^\$ (nextchar train .*)$", _README, re.MULTILINE)
_MAX_BYTES = 90_000_000  # of all of them

# Options that repeat a run today and need not be given then: the learning rate of a GRU was every cell's.
_DEFAULTS_OF_THEN: dict[str, dict[str, Any]] = {"names": {"learning_rate": 0.003}}


def _options(command: str) -> dict[str, Any]:
    """The values of the options that a command line gives."""
    context = train.make_context("train", shlex.split(command)[2:])
    return {
        name: value
        for name, value in context.params.items()
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def test_each_version_has_its_command_in_the_description() -> None:
    assert len(_COMMANDS) == len(_VERSIONS)


@pytest.mark.parametrize("folder", _VERSIONS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_model_is_what_its_card_says(folder: Path) -> None:
    sequence, step = open_graph(folder / "model.onnx"), open_graph(folder / "step-int8.onnx")
    for graph in (sequence, step):
        check_golden(graph, shown=str(folder))
    assert len(step.card.golden) >= 4
    assert step.calibration is not None
    quality = {(q.name, q.protocol): q for q in step.card.quality}
    protocol = "line" if step.card.vocabulary.unit == "line" else "stream"
    network, ngram = quality["network", protocol], quality["kneser-ney-7", protocol]
    assert network.nats_per_char < ngram.nats_per_char
    assert quality["network-int8", protocol].nats_per_char - network.nats_per_char <= 0.002
    assert step.card.provenance["licence"] in _README.replace("\n", " ")
    made_by = _options(str(step.card.provenance["command"]))
    assert made_by | _DEFAULTS_OF_THEN.get(folder.parent.name, {}) in map(_options, _COMMANDS)


@pytest.mark.parametrize("folder", _VERSIONS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_character_more_moves_the_percentile_of_the_same_bits_by_five_points_at_most(folder: Path) -> None:
    calibration = open_graph(folder / "step-int8.onnx").calibration
    assert calibration is not None
    lengths = np.arange(3, 41)
    found = [calibration.percentiles(lengths, -nats * lengths) for nats in np.linspace(0, 12, 1000)]
    assert np.abs(np.diff(found, axis=1)).max() <= 5


# Not `python`, whose text is the interpreter's own.
@pytest.mark.parametrize("name", ["domains", "names", "shakespeare", "shakespeare-gru", "tinyshakespeare"])
def test_the_text_of_a_card_is_still_cut_as_it_was(name: str) -> None:
    corpus = str(tiny_shakespeare()) if name == "tinyshakespeare" else None  # else the named one of the card
    card = open_graph(_MODELS / name / "1" / "model.onnx").card
    split = heldout_split(card, corpus)  # refuses parts of another digest
    assert split.description == card.provenance["split"]
    assert len(split.heldout) == card.provenance["num_heldout_chars"]


def test_domains_are_read_in_lower_case_and_names_are_not() -> None:
    for path in sorted((_MODELS / "domains").rglob("*.onnx")):
        graph = open_graph(path)
        texts = ("google.com", "GoOgLe.CoM", "GOOGLE.COM")
        lower, *mixed = score_strings(graph, [graph.vocabulary.encode(text) for text in texts])
        assert mixed == [lower, lower]
    for path in (path for path in _MODELS.rglob("*.onnx") if path.parts[-3] != "domains"):
        assert open_graph(path).card.vocabulary.case_folding == "none"


def test_all_models_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in _MODELS.rglob("*.onnx")) <= _MAX_BYTES
