"""Defines the verdicts on strings, and why they are what they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.model.judging.card import EVIDENCE
from nextchar.model.judging.combination import Combined
from nextchar.model.surprise.curves import Doubles

_NUM_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class AskedRate:
    """A rate of false alarms that was asked for; the true one lies from `low` to `high` with 95 % confidence.

    `warning` says in a sentence what the data cannot tell at this rate, or is None.
    """

    rate: float
    low: float
    high: float
    warning: str | None


@dataclass(frozen=True, slots=True)
class SurprisingCharacter:
    """A character that surprised: its offset in the string as the model reads it, and its cost in bits.

    `character` is None for the end of the string.
    """

    offset: int
    character: str | None
    bits: float


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a string was judged as it was.

    `evidence` are the surprisals in nats, 0 for what is usual; `references` is among them if there are any.
    `kind` is the likeliest kind of bad strings, None if the string is likelier as a normal one; `log_ratio`
    is the logarithm of how much likelier it is as that kind.
    """

    characters: list[SurprisingCharacter]
    evidence: dict[str, float]
    kind: str | None
    log_ratio: float | None


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on n strings, as arrays [n].

    `score` is the combined evidence in nats. `p_value` is the share of normal strings with at least that
    score: the rate of false alarms at which the string is just flagged. `low` and `high` are the 95 %
    interval of that rate. `is_flagged` is whether `p_value` is at most the rate that was asked for.
    """

    asked: AskedRate
    score: Doubles
    p_value: Doubles
    low: Doubles
    high: Doubles
    is_flagged: NDArray[np.bool_]
    combined: Combined
    texts: Sequence[str]
    logprobs: Sequence[Doubles]
    kinds: Sequence[str]
    kind_log_ratios: Doubles | None

    def __len__(self) -> int:
        return len(self.score)

    def why(self, index: int) -> Reasons:
        """Returns the reasons of one verdict."""
        evidence = dict(zip(EVIDENCE, self.combined.evidence[index].tolist(), strict=True))
        if self.kind_log_ratios is None or self.combined.references is None:
            return Reasons(self._characters(index), evidence, None, None)
        evidence["references"] = float(self.combined.references[index])
        ratios = self.kind_log_ratios[index]
        best = int(ratios.argmax())
        likely = float(ratios[best])
        if likely <= 0:
            return Reasons(self._characters(index), evidence, None, None)
        return Reasons(self._characters(index), evidence, self.kinds[best], likely)

    def kind(self, index: int) -> str | None:
        """Returns the likeliest kind of bad strings of one string, as `why` does."""
        return self.why(index).kind

    def _characters(self, index: int) -> list[SurprisingCharacter]:
        """Returns the characters that surprised most, the most surprising first."""
        bits, text = -self.logprobs[index] / math.log(2), self.texts[index]
        found = np.argsort(-bits, kind="stable")[:_NUM_CHARACTERS].tolist()
        return [
            SurprisingCharacter(at, text[at] if at < len(text) else None, float(bits[at])) for at in found
        ]
