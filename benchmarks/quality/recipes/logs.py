"""Log lines: an access log with odd lines put into it, each line scored after those before it.

A real nginx writes the log of visits that are made with a fixed seed (its times are those of the run).
Nobody is trained on it: all contenders learn the log as they read it, and the first lines are not counted.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.engine.adaptive import nginx_log
from benchmarks.quality.recipes.commands import nextchar, write_lines
from benchmarks.quality.recipes.environments import Environments
from benchmarks.quality.recipes.odd_lines import OddLog, with_odd_lines
from benchmarks.quality.recipes.trial import Answer, Table, Trial

_NUM_LINES, _NUM_FIRST, _NUM_ODD = 1500, 300, 20
_SEED = 27
# Of 0.4, 0.6, 0.8 and 0.9, each in four ways, it had the largest area under ROC on such odd lines.
_SIMILARITY = "0.8"


def measure(folder: Path, environments: Environments, model: Path) -> Table:
    """Scores the log adaptively and compares the scores with drain3's templates.

    Raises:
        SystemExit: nginx is not installed.
    """
    file = folder / "access.log"
    if not file.exists():
        made = nginx_log.make(folder, _NUM_LINES)
        if made is None:
            raise SystemExit("no log: nginx is not installed (Debian: apt install nginx-light)")
    log = with_odd_lines(file.read_text().splitlines(), _NUM_FIRST, _NUM_ODD, _SEED)
    write_lines(folder / "odd.log", log.lines)
    counted = Counted(log, _NUM_FIRST)
    table = Table(counted.trial)
    lengths = np.array([len(line) for line in log.lines], dtype=float)
    table.add("distance from the median length", counted.of(Answer(np.abs(lengths - np.median(lengths)))))
    table.add("`drain3`", counted.of(environments.scores("drain3_templates", log.lines)))
    tuned = environments.scores("drain3_templates", log.lines, _SIMILARITY)
    table.add("`drain3`, tuned to this log", counted.of(tuned))
    for name, options in (("", ()), (" --adaptive", ("--adaptive",))):
        total, mean = _scores(folder, model, options)
        table.add(f"`nextchar score{name}`, surprise of the line", counted.of(Answer(total)))
        table.add(f"`nextchar score{name}`, bits per character", counted.of(Answer(mean)))
    return table


class Counted:
    """Those lines of a log that are counted, in the order of a trial."""

    def __init__(self, log: OddLog, first: int) -> None:
        names = dict.fromkeys(kind for kind in log.kinds if kind is not None)
        places = {kind: [i for i, one in enumerate(log.kinds) if one == kind] for kind in names}
        normal = [i for i, one in enumerate(log.kinds) if one is None and i >= first]
        self._places = [*normal, *(i for some in places.values() for i in some)]
        kinds = {kind: [log.lines[i] for i in some] for kind, some in places.items()}
        self.trial = Trial([log.lines[i] for i in normal], kinds)

    def of(self, answer: Answer | str) -> Answer | str:
        """Returns an answer about all lines for the counted ones."""
        if isinstance(answer, str):
            return answer
        flagged = None if answer.flagged is None else answer.flagged[self._places]
        return Answer(answer.scores[self._places], flagged)


def _scores(folder: Path, model: Path, options: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the surprise of each line, in nats, and its bits per character."""
    words = ["score", str(model), "--json", "--file", "odd.log", *options]
    scores = json.loads(nextchar(folder, *words, capture=True))["data"]
    total = np.array([-score["logprob"] for score in scores])
    return total, np.array([score["bits_per_char"] for score in scores])
