"""Describes the provenance of a model for its card, without any fact about the machine it was made on."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from nextchar import __version__
from nextchar_training.config import TrainingConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.split import Split, split_digest

_DESCRIBE = ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]


def describe_text(corpus: Corpus, split: Split, command: str) -> dict[str, Any]:
    """Describes the text, its parts, and the command and version that read them."""
    return {
        "corpus": corpus.name,
        "corpus_sha256": corpus.sha256,
        "corpus_source": corpus.source,
        "licence": corpus.licence,
        "split": split.description,
        "split_sha256": split_digest(split),
        "num_train_chars": len(split.train),
        "num_development_chars": len(split.development),
        "num_heldout_chars": len(split.heldout),
        "command": command,
        "commit": git_commit(),
        "nextchar": __version__,
    }


def describe_run(corpus: Corpus, split: Split, config: TrainingConfig, command: str) -> dict[str, Any]:
    """Describes the training of a network, as far as it is known before the first step."""
    return describe_text(corpus, split, command) | {
        "seed": config.seed,
        "torch": str(torch.__version__),
        "precision": config.precision,
        "started": datetime.now(UTC).date().isoformat(),
    }


def git_commit(file: Path = Path(__file__)) -> str | None:
    """Returns the Git commit of a source file's repository, with `-dirty` if something in it has changed.

    None where the file is not in a repository: where this package is installed, whatever the folder one
    works in.
    """
    git = ["git", "-C", str(file.parent)]
    try:
        for command in (["ls-files", "--error-unmatch", file.name], _DESCRIBE):
            found = subprocess.run([*git, *command], capture_output=True, text=True, timeout=10, check=False)
            if found.returncode:
                return None
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
