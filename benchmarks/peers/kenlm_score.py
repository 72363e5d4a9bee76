"""Scores the strings of a file, one per line, with KenLM; prints strings per second and the sum of log10.

`python kenlm_score.py MODEL.arpa STRINGS`. Loading is not timed; splitting strings into words is.
"""

import sys
import time
from pathlib import Path

import kenlm


def main() -> None:
    model = kenlm.Model(sys.argv[1])
    strings = Path(sys.argv[2]).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    started = time.perf_counter()
    total = sum(model.score(" ".join(string), bos=False, eos=False) for string in strings)
    print(len(strings) / (time.perf_counter() - started), total)


main()
