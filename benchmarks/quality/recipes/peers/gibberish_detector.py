"""Scores strings with gibberish-detector: `python gibberish_detector.py TRAINING.txt`, JSON in and out."""

import json
import sys

# The script is named like the package.
sys.path.pop(0)
from string import ascii_letters

from gibberish_detector.detector import Detector
from gibberish_detector.trainer import train_on_content


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as training:
        detector = Detector(train_on_content(training.read(), ascii_letters), threshold=4.0)
    strings = json.load(sys.stdin)
    scores = [detector.calculate_probability_of_being_gibberish(string) for string in strings]
    print(json.dumps({"scores": scores, "flagged": [detector.is_gibberish(string) for string in strings]}))


main()
