"""Describes the provenance of a model for its card, without any fact about the machine it was made on."""

import subprocess
from datetime import UTC, datetime
from typing import Any

import torch

from nextchar import __version__
from nextchar_training.config import TrainingConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.split import Split, split_digest


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


def git_commit() -> str | None:
    """Returns the Git commit of the working directory; None outside a repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
