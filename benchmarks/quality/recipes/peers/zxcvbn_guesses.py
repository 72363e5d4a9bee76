"""Estimates guesses with zxcvbn, JSON in and out: log10 of them, and whether its score is below 3."""

import json
import sys

from zxcvbn import zxcvbn

_MAX_CHARS = 72  # zxcvbn refuses longer passwords
_SAFE = 3  # "safely unguessable", of 0 to 4


def main() -> None:
    found = [zxcvbn(string[:_MAX_CHARS]) for string in json.load(sys.stdin)]
    guesses = [float(one["guesses_log10"]) for one in found]
    print(json.dumps({"guesses_log10": guesses, "flagged": [one["score"] < _SAFE for one in found]}))


main()
