"""Passwords: guess numbers by Monte Carlo from samples of a model, beside zxcvbn's estimate.

Both know the same list: zxcvbn has its 30,000 passwords in itself, and the model is trained on nine tenths
of them. Held out are common passwords that Django refuses, if they have six characters or more and are not in
that list. zxcvbn's lists of words and names help it with some of them; the table has those apart. As many
random passwords of the same lengths and kinds of characters stand for those that a password manager makes.
"""

import random
import string
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.recipes.commands import nextchar, read_rows, write_lines
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.trial import Answer, Doubles, Table, Trial
from nextchar_training.text.corpus import load_corpus

_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)
_MIN_CHARS = 6  # what most sites ask for
_POWERS = (3, 4, 6, 8, 10, 12)
_FAR = 1.0  # a tenfold difference, in powers of ten
_SEED = 27


def measure(folder: Path, environments: Environments, minutes: float) -> Table:
    """Trains a model of passwords and compares guess numbers of it and of zxcvbn.

    Raises:
        SystemExit: the list of held-out passwords cannot be installed.
    """
    listed = environments.ask("common_passwords", [])
    if isinstance(listed, str):
        raise SystemExit(f"no held-out passwords: {listed}")
    known = set(str(load_corpus("passwords").text).split("\n"))
    words = known | set(str(load_corpus("words").text).split("\n"))
    held_out = [p for p in listed["passwords"] if p not in known and len(p) >= _MIN_CHARS]
    kinds = {
        "no words": [password for password in held_out if password not in words],
        "words": [password for password in held_out if password in words],
    }
    table = Table(Trial(random_like(held_out), kinds))
    theirs = environments.ask("zxcvbn_guesses", table.trial.strings)
    if isinstance(theirs, str):
        table.add("`zxcvbn`", theirs)
    else:
        table.add("`zxcvbn`, guesses", _answer(theirs))
    ours = _guesses(folder, table.trial.strings, minutes)
    table.add("`nextchar score --guesses`", Answer(-ours))
    if not isinstance(theirs, str):
        _show_guesses(len(held_out), ours, np.array(theirs["guesses_log10"]))
    return table


def _answer(found: dict[str, Any]) -> Answer:
    return Answer(-np.array(found["guesses_log10"]), np.array(found["flagged"], dtype=bool))


def _guesses(folder: Path, strings: list[str], minutes: float) -> Doubles:
    """Trains the model if it is not there; returns its guess numbers, as powers of ten."""
    if not (folder / "models" / "passwords").exists():
        nextchar(folder, "train", "passwords", "--max-minutes", str(minutes), "--seed", "1")
    write_lines(folder / "asked.txt", strings)
    options = ["--file", "asked.txt", "--output", "guesses.csv", "--overwrite"]
    nextchar(folder, "score", "models/passwords", "--guesses", *options)
    return np.array([float(row["guesses_log10"]) for row in read_rows(folder / "guesses.csv")])


def random_like(passwords: list[str]) -> list[str]:
    """Returns random passwords, each as long as one of the given and of the same kinds of characters."""
    chance, known, found = random.Random(_SEED), set(passwords), []
    for password in passwords:
        alphabet = "".join(some for some in _CLASSES if set(some) & set(password)) or string.ascii_letters
        while (drawn := "".join(chance.choices(alphabet, k=len(password)))) in known:
            pass
        found.append(drawn)
    return found


def _show_guesses(number: int, ours: Doubles, theirs: Doubles) -> None:
    """Prints which share of held-out passwords falls within so many guesses, and how far the two differ."""
    mine, other = ours[-number:], theirs[-number:]
    print(f"\n{number:,} held-out passwords\n")
    print(f"| within | {' | '.join(f'10^{power}' for power in _POWERS)} |\n|---{'|---' * len(_POWERS)}|")
    for name, guesses in (("`zxcvbn`", other), ("`nextchar score --guesses`", mine)):
        print(f"| {name} | {' | '.join(f'{(guesses <= power).mean():.3f}' for power in _POWERS)} |")
    easier, harder = (mine < other - _FAR).mean(), (mine > other + _FAR).mean()
    print(f"\nthe model needs less than a tenth of zxcvbn's guesses for {easier:.3f} of them, and more than")
    print(f"ten times as many for {harder:.3f}\n")
