"""Gibberish sign-ups: names of people against what is typed in their place.

A sign-up is a first name and a surname of the census lists in the package `names`, each drawn as often as
people have it. Names are split in two before they are drawn: no first name and no surname of the held-out
sign-ups is in the training list. Gibberish is made with a fixed seed (gibberish.py).
"""

import random
from pathlib import Path

import names

from benchmarks.quality.entropy import entropies
from benchmarks.quality.recipes.commands import fitted_judge, judged, write_lines
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.gibberish import gibberish
from benchmarks.quality.recipes.trial import Answer, Table, Trial

NUM_TRAINING, NUM_HELD_OUT, NUM_BAD = 20_000, 10_000, 2_000
_SEED = 27

Frequencies = dict[str, float]


def measure(folder: Path, environments: Environments, minutes: float) -> Table:
    """Fits a judge to sign-ups and compares it with packages that know gibberish."""
    first, last = halves(("first:male", "first:female")), halves(("last",))
    training = signups(first[0], last[0], NUM_TRAINING, "training")
    normal = signups(first[1], last[1], NUM_HELD_OUT, "held out")
    table = Table(Trial(normal, gibberish(normal[:NUM_BAD], _SEED)))
    strings = table.trial.strings
    write_lines(folder / "training.txt", training)
    table.add("Shannon entropy", Answer(entropies(strings)))
    ngrams = environments.scores("gibberish_detector", strings, str((folder / "training.txt").absolute()))
    table.add("`gibberish-detector`, trained on the same names", ngrams)
    table.add("`pygarble`", environments.scores("pygarble", strings))
    fitted_judge(folder, "signups", training, "--max-minutes", str(minutes))
    table.add("judge", judged(folder, "signups", strings))
    known, fresh = set(training), signups(first[0], last[0], NUM_HELD_OUT, "fresh")
    alarms = judged(folder, "signups", [one for one in fresh if one not in known]).flagged
    assert alarms is not None
    print(f"flagged of new sign-ups with names of the training list, at 1 %: {alarms.mean():.4f}")
    return table


def halves(lists: tuple[str, ...]) -> tuple[Frequencies, Frequencies]:
    """Splits the names of some lists at random into two parts, with the share of people who have each."""
    found: Frequencies = {}
    for one in lists:
        for line in Path(names.FILES[one]).read_text(encoding="utf-8").splitlines():
            name, share = line.split()[:2]
            found[name.capitalize()] = found.get(name.capitalize(), 0.0) + float(share)
    chance = random.Random(_SEED)
    parts: tuple[Frequencies, Frequencies] = {}, {}
    for name in sorted(found):
        parts[chance.random() < 0.5][name] = found[name]
    return parts


def signups(first: Frequencies, last: Frequencies, number: int, part: str) -> list[str]:
    """Draws so many distinct sign-ups."""
    chance, found = random.Random(f"{_SEED} {part}"), dict[str, None]()
    # A name that the census rounds to no share is given the smallest that it prints.
    weights = [[max(share, 0.001) for share in names_.values()] for names_ in (first, last)]
    while len(found) < number:
        left = number - len(found)
        drawn = (
            chance.choices(list(first), weights[0], k=left),
            chance.choices(list(last), weights[1], k=left),
        )
        found |= dict.fromkeys(map(" ".join, zip(*drawn, strict=True)))
    return list(found)
