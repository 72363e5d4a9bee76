"""Scores strings with pygarble's ensemble as it comes, JSON in and out."""

import json
import sys

# The script is named like the package.
sys.path.pop(0)
from pygarble.gibberish import EnsembleDetector


def main() -> None:
    detector = EnsembleDetector()
    strings = json.load(sys.stdin)
    scores, flagged = detector.predict_proba(strings), detector.predict(strings)
    print(json.dumps({"scores": [float(p) for p in scores], "flagged": [bool(v) for v in flagged]}))


main()
