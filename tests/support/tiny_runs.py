"""Makes tiny runs over a small text for tests of training: a whole run takes half a second."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nextchar_training.config import TrainingConfig
from nextchar_training.export.export import export
from nextchar_training.run.checkpoint import FILE_NAME, Trained, load_split, load_trained
from nextchar_training.run.run import Run
from nextchar_training.run.version_folder import write_version

_SENTENCE = "the quick brown fox jumps over a lazy dog while seven kind wizards box up my quilt"
WORDS = _SENTENCE.split()
_OPTIONS: dict[str, Any] = {
    "name": "tiny",
    "hidden_size": 16,
    "embedding_size": 8,
    "num_layers": 2,
    "batch_size": 4,
    "window": 16,
    "steps": 12,
    "evaluations": 2,
}


class Silent:
    """A reporter that keeps nothing."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_fields: None


def write_words(folder: Path) -> Path:
    """Writes about 6,000 characters in lines of one to six words."""
    draw = random.Random(0)
    lines = [" ".join(draw.choices(WORDS, k=draw.randint(1, 6))) for _ in range(340)]
    path = folder / "words.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tiny_run(folder: Path, corpus: Path, **changes: Any) -> Run:
    """Makes a run of a tiny network in a folder of its own, before its first step."""
    config = TrainingConfig(**{**_OPTIONS, "corpus": str(corpus), **changes})
    directory = folder / config.name
    directory.mkdir(parents=True, exist_ok=True)
    return Run(directory, config, f"nextchar train --corpus {corpus.name} --name {config.name}")


def finished(run: Run) -> Trained:
    """Trains a run to its end, measures it and loads it from its checkpoint."""
    assert run.train(Silent(), lambda: False)  # type: ignore[arg-type]
    run.finish()
    return load_trained(run.directory / FILE_NAME)


def exported(trained: Trained, folder: Path) -> Path:
    """Writes all graphs of a run as version 1 of a model; returns the version's folder."""
    exported = export(trained, load_split(trained), keep_float32_step=True)
    write_version(exported.files, folder / "1")
    return folder / "1"
