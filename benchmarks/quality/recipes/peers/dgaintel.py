"""Scores domains with dgaintel, JSON in and out: its probability that a program made them."""

import json
import sys

# The script is named like the package.
sys.path.pop(0)
from dgaintel import get_prob

_BATCH = 1000


def main() -> None:
    strings = [string.lower()[:82] for string in json.load(sys.stdin)]
    scores: list[float] = []
    for first in range(0, len(strings), _BATCH):
        batch = strings[first : first + _BATCH]
        # It returns a single number, and no list, for a list of one.
        scores += [float(p) for p in get_prob([*batch, "example.com"], raw=True)[: len(batch)]]
    print(json.dumps({"scores": scores, "flagged": [p >= 0.5 for p in scores]}))


main()
