"""Makes what people and programs type into a name field in place of a name, in the shape of names.

Every kind has two words, as long as those of a real name and capitalised like it, so that neither length
nor shape gives it away.
"""

import random
import string
from collections.abc import Callable

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_OFFSETS = (0.0, 0.25, 0.75)  # of the rows of an ANSI keyboard, in keys
_REACH = 1.3  # of the next key, in keys
_PLACES = {key: (row, k + _OFFSETS[row]) for row, keys in enumerate(_ROWS) for k, key in enumerate(keys)}
_NEAR = {
    key: [
        other
        for other, (r, x) in _PLACES.items()
        if other != key and (r - row) ** 2 + (x - at) ** 2 <= _REACH**2
    ]
    for key, (row, at) in _PLACES.items()
}


def gibberish(names: list[str], seed: int) -> dict[str, list[str]]:
    """Returns strings of each kind, one for each name."""
    kinds = {}
    for kind, make in _KINDS.items():
        chance = random.Random(f"{seed} {kind}")
        kinds[kind] = [" ".join(make(chance, word) for word in name.split(" ")) for name in names]
    return kinds


def _mash(chance: random.Random, word: str) -> str:
    """Begins on the home row and goes on to a key nearby, as a hand that stays where it is."""
    keys = [chance.choice(_ROWS[1])]
    while len(keys) < len(word):
        keys.append(chance.choice(_NEAR[keys[-1]]))
    return "".join(keys).capitalize()


def _roll(chance: random.Random, word: str) -> str:
    """Repeats a run of three to five neighbouring keys, forwards or backwards."""
    row, length = chance.choice(_ROWS), chance.randint(3, 5)
    start = chance.randrange(len(row) - length + 1)
    run = row[start : start + length][:: chance.choice((1, -1))]
    return (run * len(word))[: len(word)].capitalize()


def _letters(chance: random.Random, word: str) -> str:
    return "".join(chance.choices(string.ascii_lowercase, k=len(word))).capitalize()


def _shuffled(chance: random.Random, word: str) -> str:
    """Shuffles the name's own letters: the right letters in the wrong order."""
    return "".join(chance.sample(word.lower(), len(word))).capitalize()


def _mixed_case(chance: random.Random, word: str) -> str:
    """Draws letters of either case, as programs do that fill in forms."""
    return "".join(chance.choices(string.ascii_letters, k=len(word)))


_KINDS: dict[str, Callable[[random.Random, str], str]] = {
    "keyboard mash": _mash,
    "rolled keys": _roll,
    "random letters": _letters,
    "shuffled names": _shuffled,
    "mixed case": _mixed_case,
}
