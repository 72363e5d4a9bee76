"""Measures KenLM on a 6-gram of ours: the cost of a table look-up beside a network. One process, one core."""

import math
import subprocess
from pathlib import Path

from benchmarks.servers import APPS, ROOT
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.measure.arpa import write_arpa
from nextchar_training.measure.kneser_ney import KneserNey
from nextchar_training.text.corpus import load_corpus

_ORDER = 6  # the longest that its package on PyPI is built for
_PYTHON = ROOT / ".peers" / "kenlm" / "bin" / "python"
_TOLERANCE = 1e-4


def installed() -> bool:
    """Returns whether KenLM has its environment (make peers)."""
    return _PYTHON.exists()


class Kenlm:
    """Holds a 6-gram of the corpus shakespeare on disk, and the strings to score."""

    def __init__(self, vocabulary: Vocabulary, strings: list[str], folder: Path) -> None:
        self._arpa, self._strings = folder / "ngram.arpa", folder / "strings.txt"
        self._strings.write_text("\n".join(strings) + "\n")
        ids = vocabulary.encode(str(load_corpus("shakespeare").text))
        model = KneserNey.fit(ids, order=_ORDER, num_symbols=vocabulary.num_outputs)
        with self._arpa.open("w", encoding="utf-8") as file:
            write_arpa(model, vocabulary, file)
        self._expected = sum(float(model.logprobs(vocabulary.encode(s)).sum()) for s in strings[:1000])
        self._check(strings[:1000])

    def _check(self, strings: list[str]) -> None:
        few = self._strings.with_name("few.txt")
        few.write_text("\n".join(strings) + "\n")
        total = self._score(few)[1] * math.log(10)
        if not math.isclose(total, self._expected, rel_tol=_TOLERANCE):
            raise ValueError(f"KenLM must score {self._expected} nats with our ARPA file (it scores {total})")

    def rate(self) -> float:
        """Returns strings per second."""
        return self._score(self._strings)[0]

    def _score(self, strings: Path) -> tuple[float, float]:
        command = [str(_PYTHON), str(APPS / "kenlm_score.py"), str(self._arpa), str(strings)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rate, total = done.stdout.split()
        return float(rate), float(total)
