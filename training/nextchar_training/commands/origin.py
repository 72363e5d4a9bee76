"""Reads the model that a run goes on from, and takes the options that it decides."""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar_training.export.read_back import load_network
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.described import DescribedNetwork
from nextchar_training.network.network import CharRNN
from nextchar_training.option import recorded_path

RATE_SHARE = 1 / 3  # of the cell's usual learning rate: the network has learnt already
_SEQUENCE = "model.onnx"


def take_origin(options: dict[str, Any], given: set[str]) -> DescribedNetwork:
    """Loads the model of `--from`, and sets the options that it decides; `given` are on the command line.

    Raises:
        ModelFileError: the model cannot be read.
        InvalidRequest: the path is neither a version's folder nor a `model.onnx`.
        UsageError: an option that was given differs from the model.
    """
    path = _file(Path(options["from_model"])).resolve()
    model, card = load_network(path)
    for name, value in _decided(model, card).items():
        if name in given and options[name] != value:
            raise click.UsageError(
                f"--{name.replace('_', '-')} must be {value} as in the model of --from (is {options[name]})"
            )
        options[name] = value
    if options["learning_rate"] is None:
        options["learning_rate"] = CELLS[card.cell].usual_rate(options["optimizer"]) * RATE_SHARE
    facts = {"model": recorded_path(str(path.parent.parent)), "version": recorded_path(str(path.parent))}
    return DescribedNetwork(model, card.make_vocabulary(), facts | card.provenance, list(card.quality))


def _file(path: Path) -> Path:
    file = path / _SEQUENCE if path.is_dir() else path
    if not file.is_file():
        raise InvalidRequest(
            f"--from must be the folder of a model's version, or its {_SEQUENCE} "
            f"({recorded_path(str(path))!r} is not)",
            param="from_model",
        )
    return file


def _decided(model: CharRNN, card: Card) -> dict[str, Any]:
    return {
        "cell": CELLS[card.cell].flag,
        "hidden_size": model.config.hidden_size,
        "num_layers": model.config.num_layers,
        "embedding_size": model.config.embedding_size,
        "unit": card.vocabulary.unit,
        "symbols": card.vocabulary.symbols,
        "unknown": card.vocabulary.unknown,
        "normalization": card.vocabulary.normalization,
        "case_folding": card.vocabulary.case_folding,
    }
