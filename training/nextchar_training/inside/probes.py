"""Probes long dependencies: how much of a fact is left after more and more other text.

A probe is a beginning that names a fact, an ending that asks for it, and the answer of every fact, with
filler of a growing length in between. An answer's probability is compared with its probability after the
other facts: above 0 are nats of memory, 0 is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextchar.model.golden import score_strings
from nextchar.model.graph import ModelGraph


@dataclass(frozen=True)
class Probe:
    """A probe with its `answers` by fact; `{}` in `beginning` stands for the fact."""

    name: str
    beginning: str
    filler: str
    ending: str
    answers: dict[str, str]

    def contexts(self, distance: int) -> list[str]:
        """Returns one text per fact, with `distance` characters of filler."""
        repeats = -(-distance // len(self.filler))
        middle = (self.filler * repeats)[len(self.filler) * repeats - distance :]
        return [self.beginning.format(fact) + middle + self.ending for fact in self.answers]


PROBES = (
    Probe(
        "country and language",
        "I live in {}. ",
        "The day is long and the night is cold. ",
        "I speak ",
        {"France": "French", "Spain": "Spanish", "Rome": "Roman", "Greece": "Greek"},
    ),
    Probe(
        "he or she",
        "The {} came in. ",
        "The day was long and the night was cold. ",
        "And then ",
        {"king": "he ", "queen": "she "},
    ),
    Probe(
        "who spoke first",
        "{}:\nGood morrow, cousin.\n\n",
        "SERVANT:\nThe day is long, and the night is cold.\n\n",
        "",
        {"HAMLET": "HAMLET:", "JULIET": "JULIET:", "OTHELLO": "OTHELLO:", "BRUTUS": "BRUTUS:"},
    ),
    Probe(
        "a name again",
        "Come hither, {}. ",
        "The day is long, and the night is cold. ",
        "I say, come hither, ",
        {"Antonio": "Antonio", "Mercutio": "Mercutio", "Claudio": "Claudio", "Horatio": "Horatio"},
    ),
    Probe(
        "open bracket",
        "x = f{}a, ",
        "b, c, d, e, ",
        "z",
        {"(": ")", "[": "]", "{": "}"},
    ),
    Probe("open quote", "x = {}a ", "b c d e ", "z", {'"': '"', "'": "'"}),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a fact after `distance` characters.

    With p[f, a] = log p(answer a | context of fact f): `probability` is the geometric mean over f of
    p[f, f], `nats` the mean over f of p[f, f] - mean over the other facts g of p[g, f].
    """

    distance: int
    probability: float
    nats: float


def memory(graph: ModelGraph, probe: Probe, distances: Sequence[int]) -> list[Memory]:
    """Measures a probe's memory by distance."""
    return [_memory(graph, probe, distance) for distance in distances]


def _memory(graph: ModelGraph, probe: Probe, distance: int) -> Memory:
    contexts = probe.contexts(distance)
    encode, answers = graph.vocabulary.encode, list(probe.answers.values())
    strings = [text for context in contexts for text in (context, *(context + a for a in answers))]
    scores = np.array(score_strings(graph, [encode(text) for text in strings]))
    by_context = scores.reshape(len(contexts), 1 + len(answers))
    given = by_context[:, 1:] - by_context[:, :1]
    own = np.diagonal(given)
    others = (given.sum(axis=0) - own) / (len(answers) - 1)
    return Memory(distance, float(np.exp(own.mean())), float((own - others).mean()))


def known(graph: ModelGraph, probe: Probe) -> bool:
    """Returns whether the model is of running text and its vocabulary has every character of a probe."""
    vocabulary = graph.vocabulary
    text = "".join(probe.contexts(len(probe.filler))) + "".join(probe.answers.values())
    return vocabulary.unit == "text" and set(vocabulary.normalize(text)) <= set(vocabulary.characters)
