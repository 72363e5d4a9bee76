"""Defines a network with what is known about it: what an export writes into a file."""

from dataclasses import dataclass
from typing import Any

from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.network.network import CharRNN


@dataclass(frozen=True)
class DescribedNetwork:
    """A network in eval mode, its vocabulary, its origin, and its held-out losses, if any are known."""

    model: CharRNN
    vocabulary: Vocabulary
    provenance: dict[str, Any]
    quality: list[Quality]
