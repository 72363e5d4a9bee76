"""Scores lists of strings with the normal model: what a judge is fitted to."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import ModelGraph
from nextchar.model.judging.judge import num_unknown
from nextchar.model.judging.statistics import Statistics, statistics_of
from nextchar.model.surprise.curves import Doubles
from nextchar.model.vocabulary import Ids
from nextchar_training.text.code_points import Text
from nextchar_training.text.error import CorpusError

_MAX_ROWS = 256


@dataclass(frozen=True)
class Scored:
    """Strings with the log-probabilities of their symbols and end under the normal model."""

    name: str
    texts: list[str]
    ids: list[Ids]
    logprobs: list[Doubles]
    unknown: Doubles

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Scored":
        """Returns some of the strings."""
        places = np.arange(len(self))[chosen].tolist()
        return Scored(
            self.name,
            [self.texts[i] for i in places],
            [self.ids[i] for i in places],
            [self.logprobs[i] for i in places],
            self.unknown[chosen],
        )

    @cached_property
    def statistics(self) -> Statistics:
        """What a judge looks at in the strings."""
        return statistics_of(self.texts, self.logprobs)


def score_list(graph: ModelGraph, name: str, strings: list[str]) -> Scored:
    """Scores strings in the form in which an opened model reads them, in batches of about equal length.

    Raises:
        CorpusError: the model refuses a character.
    """
    vocabulary = graph.vocabulary
    try:
        ids = [vocabulary.encode_code_points(Text.of(one).code_points) for one in strings]
    except KeyError as error:
        raise CorpusError(f"{name}: the model refuses the character {error.args[0]!r}") from None
    ended = ids if vocabulary.end_id is None else [np.append(one, vocabulary.end_id) for one in ids]
    order = sorted(range(len(strings)), key=lambda i: len(ended[i]))
    found: list[Doubles] = [np.empty(0)] * len(strings)
    for first in range(0, len(order), _MAX_ROWS):
        rows = order[first : first + _MAX_ROWS]
        for i, logprobs in zip(rows, symbol_logprobs(graph, [ended[i] for i in rows]), strict=True):
            found[i] = logprobs.astype(np.float64)
    return Scored(name, strings, ids, found, num_unknown(ids, vocabulary))
