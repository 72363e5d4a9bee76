"""Scores strings with KenLM, `python kenlm.py MODEL.arpa`, JSON in and out: surprise per symbol, in log10."""

import json
import sys

# The script is named like the package.
sys.path.pop(0)
import kenlm


def main() -> None:
    model = kenlm.Model(sys.argv[1])
    strings = json.load(sys.stdin)
    scores = [-model.score(" ".join(string), bos=True, eos=True) / (len(string) + 1) for string in strings]
    print(json.dumps({"scores": scores}))


main()
