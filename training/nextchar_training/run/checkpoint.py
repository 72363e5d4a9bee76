"""Saves and loads a run as one file of plain tensors and values, written whole or not at all."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nextchar.errors import ModelFileError
from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.config import TrainingConfig
from nextchar_training.measure.development import calibrated
from nextchar_training.network.described import DescribedNetwork
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.text.heldout import RECORD, text_record
from nextchar_training.text.preparation import check_same, read_text
from nextchar_training.text.split import Split

FORMAT = 3
FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Trained(DescribedNetwork):
    """A network of a run, with the options of the run."""

    config: TrainingConfig


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Writes a temporary file, flushes it to the disk and renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Loads the content of a checkpoint; only tensors and plain values are unpickled.

    Raises:
        ModelFileError: the file is missing or is not a checkpoint of this format.
    """
    if not path.is_file():
        raise ModelFileError(
            f"no checkpoint at {path}: check the run's folder (--output and --name on --resume); nextchar "
            "train without --resume starts one"
        )
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # noqa: BLE001  torch raises anything from KeyError to UnpicklingError
        raise ModelFileError(f"{path} is not a checkpoint of this program: {type(error).__name__}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not a checkpoint of format {FORMAT}")
    return content


def load_trained(path: Path) -> Trained:
    """Loads a run's network in eval mode, with the averaged weights that were best on development text."""
    content = load_checkpoint(path)
    model = CharRNN(ModelConfig(**content["model"]))
    best = content["best"]
    model.load_state_dict(content["trainer"]["average"] if best is None else best["average"])
    config = TrainingConfig(**content["config"])
    return Trained(
        model=calibrated(model, content["temperature"] or 1.0).eval().requires_grad_(False),
        vocabulary=vocabulary_from_dict(content["vocabulary"]),
        provenance={**content["provenance"], RECORD: text_record(config)},
        quality=[Quality(**entry) for entry in content["quality"]],
        config=config,
    )


def load_split(trained: Trained) -> Split:
    """Reads the text of a run and cuts it as the run did.

    Raises:
        CorpusError: the text is missing or is not the one of the run.
    """
    corpus, split = read_text(trained.config)
    check_same(corpus, split, trained.provenance)
    return split


def vocabulary_to_dict(vocabulary: Vocabulary) -> dict[str, Any]:
    """Returns a vocabulary as plain values."""
    return {
        "characters": list(vocabulary.characters),
        "unit": vocabulary.unit,
        "unknown": vocabulary.unknown,
        "normalization": vocabulary.normalization,
        "case_folding": vocabulary.case_folding,
        "symbols": vocabulary.symbols,
    }


def vocabulary_from_dict(saved: dict[str, Any]) -> Vocabulary:
    """Returns the vocabulary that `vocabulary_to_dict` was given."""
    return Vocabulary(**{**saved, "characters": tuple(saved["characters"])})
