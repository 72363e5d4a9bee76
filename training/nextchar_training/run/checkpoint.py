"""A run on disk: one file of plain tensors and values, written whole or not at all."""

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
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.text.of_run import check_same, read_text
from nextchar_training.text.split import Split

FORMAT = 2
FILE_NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Trained:
    """What export and evaluation need of a run: the averaged network and its facts."""

    model: CharRNN
    vocabulary: Vocabulary
    config: TrainingConfig
    provenance: dict[str, Any]
    quality: list[Quality]


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write to a temporary file, flush it to the disk, and put it in place in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save({"format": FORMAT, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content that was saved; only tensors and plain values are ever unpickled.

    Raises:
        ModelFileError: there is no checkpoint there, or it cannot be read.
    """
    if not path.is_file():
        raise ModelFileError(f"no checkpoint at {path}")
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # noqa: BLE001  torch raises anything from KeyError to UnpicklingError
        raise ModelFileError(f"{path} is not a checkpoint of this program: {type(error).__name__}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not a checkpoint of format {FORMAT}")
    return content


def load_trained(path: Path) -> Trained:
    """The network of a run with its averaged weights, in eval mode; the best on development text."""
    content = load_checkpoint(path)
    model = CharRNN(ModelConfig(**content["model"]))
    best = content["best"]
    model.load_state_dict(content["trainer"]["average"] if best is None else best["average"])
    return Trained(
        calibrated(model, content["temperature"] or 1.0).eval().requires_grad_(False),
        vocabulary_from_dict(content["vocabulary"]),
        TrainingConfig(**content["config"]),
        content["provenance"],
        [Quality(**entry) for entry in content["quality"]],
    )


def load_split(trained: Trained) -> Split:
    """The text of a run, cut as it was then.

    Raises:
        CorpusError: the text is gone or is not the one the run was made with.
    """
    corpus, split = read_text(trained.config)
    check_same(corpus, split, trained.provenance)
    return split


def vocabulary_to_dict(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "characters": list(vocabulary.characters),
        "unit": vocabulary.unit,
        "unknown": vocabulary.unknown,
        "normalization": vocabulary.normalization,
        "symbols": vocabulary.symbols,
    }


def vocabulary_from_dict(saved: dict[str, Any]) -> Vocabulary:
    return Vocabulary(**{**saved, "characters": tuple(saved["characters"])})
