"""Measures how well bits per character separate real domains from generated ones: area under ROC, by kind.

No package has a labelled sample of generated domains, so they are generated here. The real ones are held-out
domains that no model has seen; every kind is 2,000 names with the same top-level domains.
"""

import hashlib
import itertools
import math
import random
import string
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.entropy import entropies
from nextchar.model.golden import score_strings
from nextchar.model.graph import ModelGraph, open_graph
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.figures import ORDER, fit_ngram
from nextchar_training.measure.kneser_ney import KneserNey
from nextchar_training.text.code_points import Text
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.split import split_corpus

NUM_NAMES = 2000
_SEED = 0

Doubles = NDArray[np.float64]


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Returns the area under ROC by kind and contender, of the step graph in a version's folder."""
    graph = open_graph(next(folder.glob("step-int8.onnx")))
    split = split_corpus(load_corpus("domains"), unit="line", heldout=0.1, development=0.05)
    real = str(split.heldout).split("\n")[:NUM_NAMES]
    known = set(str(load_corpus("domains").text).split("\n"))
    ngram = fit_ngram(split, graph.vocabulary, order=ORDER)
    contenders: dict[str, Callable[[list[str]], Doubles]] = {
        "network": lambda names: _network_bits(graph, names),
        f"{ORDER}-gram": lambda names: _ngram_bits(ngram, graph, names),
        "Shannon entropy": _entropy_bits,
    }
    kinds = {kind: make(real, known) for kind, make in _KINDS.items()}
    kinds["all four"] = [name for names in kinds.values() for name in names]
    return {
        kind: {name: area_under_roc(bits(real), bits(made)) for name, bits in contenders.items()}
        for kind, made in kinds.items()
    }


def area_under_roc(negative: Doubles, positive: Doubles) -> float:
    """Returns the chance that a generated name has more bits than a real one, ties half (Mann-Whitney)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    up_to = np.searchsorted(ordered, positive, side="right")
    return float((below + up_to).sum() / 2 / len(negative) / len(positive))


def _network_bits(graph: ModelGraph, names: list[str]) -> Doubles:
    """Returns bits per character, with the end of the name as a character."""
    ids = [np.append(graph.vocabulary.encode(name), graph.vocabulary.end_id) for name in names]
    return -np.array(score_strings(graph, ids)) / math.log(2) / [len(name) + 1 for name in names]


def _ngram_bits(ngram: KneserNey, graph: ModelGraph, names: list[str]) -> Doubles:
    sequence = EncodedLines(Text.of("\n".join(names)), graph.vocabulary).sequence()
    starts = np.flatnonzero(sequence == graph.vocabulary.begin_id)
    sums = np.add.reduceat(ngram.logprobs(sequence), starts)
    return -sums / math.log(2) / [len(name) + 1 for name in names]


def _entropy_bits(names: list[str]) -> Doubles:
    """Returns the entropy of the characters of each name without its top-level domain."""
    return entropies(name.partition(".")[0] for name in names)


def _uniform(real: list[str], known: set[str]) -> list[str]:
    """Draws letters evenly, as many as the real label has."""
    draw = random.Random(_SEED)

    def make(name: str) -> str:
        label, dot, rest = name.partition(".")
        return "".join(draw.choices(string.ascii_lowercase, k=max(5, len(label)))) + dot + rest

    return [_new(lambda name=name: make(name), known) for name in real]


def _hashed(real: list[str], known: set[str]) -> list[str]:
    """Makes ten to twenty letters of a digest of a seed and a number, as malware finds its servers."""
    numbers = itertools.count()

    def make(name: str) -> str:
        digest = hashlib.sha256(f"{_SEED}-{next(numbers)}".encode()).digest()
        letters = "".join(string.ascii_lowercase[byte % 26] for byte in digest[: 10 + digest[-1] % 11])
        return letters + "." + name.partition(".")[2]

    return [_new(lambda name=name: make(name), known) for name in real]


def _words(real: list[str], known: set[str]) -> list[str]:
    """Joins two English words."""
    draw = random.Random(_SEED)
    words = [word for word in str(load_corpus("words").text).split("\n") if word.isalpha() and len(word) > 2]
    words = [word for word in words if word.isascii()]

    def make(name: str) -> str:
        return "".join(draw.choices(words, k=2)) + "." + name.partition(".")[2]

    return [_new(lambda name=name: make(name), known) for name in real]


def _typos(real: list[str], known: set[str]) -> list[str]:
    """Changes a real name: one letter left out, inserted, replaced, or swapped with the next."""
    draw = random.Random(_SEED)

    def make(name: str) -> str:
        label, dot, rest = name.partition(".")
        at, letter = draw.randrange(len(label)), draw.choice(string.ascii_lowercase)
        before, here, after = label[:at], label[at], label[at + 1 :]
        changed = draw.choice(
            [
                before + after,
                before + letter + here + after,
                before + letter + after,
                before + after[:1] + here + after[1:],
            ]
        )
        return changed + dot + rest if changed else letter + dot + rest

    return [_new(lambda name=name: make(name), known) for name in real]


def _new(make: Callable[[], str], known: set[str]) -> str:
    """Returns the first name that is not a known domain."""
    while (name := make()) in known:
        pass
    return name


_KINDS: dict[str, Callable[[list[str], set[str]], list[str]]] = {
    "uniform letters": _uniform,
    "hash-seeded letters": _hashed,
    "two words": _words,
    "one-character typos": _typos,
}
