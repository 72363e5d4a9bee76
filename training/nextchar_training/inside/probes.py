"""Long dependencies: what is left of a fact after more and more other text.

A probe is a beginning that names a fact, an ending that asks for it, and every fact's answer. Between
them comes filler of a growing length. After each, an answer's probability is compared with its
probability after the other facts: 0 is no memory, above 0 is nats of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextchar.model.golden import score_strings
from nextchar.model.graph import ModelGraph


@dataclass(frozen=True)
class Probe:
    """`answers` by fact; `{}` in `beginning` is the fact."""

    name: str
    beginning: str
    filler: str
    ending: str
    answers: dict[str, str]

    def contexts(self, distance: int) -> list[str]:
        """One text for every fact, with `distance` characters of filler."""
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
        {"(": ")", "[": "]", "{{": "}"},
    ),
    Probe("open quote", "x = {}a ", "b c d e ", "z", {'"': '"', "'": "'"}),
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is left of a fact after `distance` characters.

    With p[f, a] = log p(answer a | context of fact f): `probability` is the geometric mean over f of
    p[f, f], `nats` the mean over f of p[f, f] - mean over the other facts g of p[g, f].
    """

    distance: int
    probability: float
    nats: float


def memory(graph: ModelGraph, probe: Probe, distances: Sequence[int]) -> list[Memory]:
    """A probe's memory by distance."""
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
    """Whether every character of a probe is in the vocabulary of a model of running text."""
    vocabulary = graph.vocabulary
    text = "".join(probe.contexts(len(probe.filler))) + "".join(probe.answers.values())
    return vocabulary.unit == "text" and set(vocabulary.normalize(text)) <= set(vocabulary.characters)
