"""Scores strings with truffleHog's entropy, JSON in and out: of their longest piece, over its limit."""

import json
import sys

from truffleHog.truffleHog import BASE64_CHARS, HEX_CHARS, get_strings_of_set, shannon_entropy

_LIMITS = ((BASE64_CHARS, 4.5), (HEX_CHARS, 3.0))  # those of its find_entropy


def score(string: str) -> float:
    found = [
        shannon_entropy(piece, characters) / limit
        for characters, limit in _LIMITS
        for piece in get_strings_of_set(string, characters)
    ]
    return max(found, default=0.0)


def main() -> None:
    scores = [score(string) for string in json.load(sys.stdin)]
    print(json.dumps({"scores": scores, "flagged": [s > 1 for s in scores]}))


main()
