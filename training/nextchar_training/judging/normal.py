"""Chooses the normal strings that a judge is calibrated on: none that its model was trained on."""

import numpy as np

from nextchar.errors import NextcharError
from nextchar.model.card import Card
from nextchar_training.judging.lists import StringList, Warn
from nextchar_training.text.heldout import heldout_split

HELD_OUT = 0.25  # of the normal strings, where the model is trained on the rest
_SEED = 0


def never_trained_on(card: Card, normal: StringList, warn: Warn) -> StringList:
    """Leaves out the strings that the model was trained on, if its text can be read; warns otherwise.

    A model that an earlier run has trained on its part of the same list is known by the digest of that part.
    """
    training, calibration = cut(normal)
    if card.provenance.get("corpus_sha256") == training.digest:
        warn(f"{normal.name}: left out {len(training.strings):,} strings that the model was trained on")
        return calibration
    try:
        split = heldout_split(card)
    except NextcharError as error:
        warn(
            f"cannot tell whether the model was trained on strings of {normal.name!r}, which would make "
            f"normal strings look too normal: {error.message}"
        )
        return normal
    trained = set(str(split.before_heldout()).split("\n"))
    left = normal.without(trained)
    if number := len(normal.strings) - len(left.strings):
        warn(f"{normal.name}: left out {number:,} strings that the model was trained on")
    return left


def cut(normal: StringList) -> tuple[StringList, StringList]:
    """Cuts normal strings into those that a model is trained on and those that calibrate the judge."""
    order = np.random.default_rng(_SEED).permutation(len(normal.strings)).tolist()
    first = round(len(order) * (1 - HELD_OUT))
    parts = [[normal.strings[i] for i in sorted(some)] for some in (order[:first], order[first:])]
    return StringList(normal.name, parts[0]), StringList(normal.name, parts[1])


def sampled(strings: StringList, most: int, warn: Warn) -> StringList:
    """Returns at most so many strings, chosen at random."""
    number = len(strings.strings)
    if number <= most:
        return strings
    warn(f"{strings.name}: took {most:,} of {number:,} strings at random (--max-strings)")
    chosen = sorted(np.random.default_rng(_SEED).permutation(number)[:most].tolist())
    return StringList(strings.name, [strings.strings[i] for i in chosen])
