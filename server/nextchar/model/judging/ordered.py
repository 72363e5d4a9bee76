"""Judges strings that are one text, of which a model learns: each by its rank among those read before it.

The evidence against a string is the judge's own, of the log-probabilities that the learning model gave it. A
judge was calibrated with the network alone, though, and a model that learns is surprised less and less. So
the p-value is not that of the judge's card: it is the rank of the string's score among those of the last half
of the strings read before it (`model.surprise.online_scores`).

Of a text that is well learned, most strings surprise less than every string that the judge was calibrated on,
and have one score. Equal scores are told apart by the surprise per symbol: otherwise such strings would all
have large p-values, and fewer would be flagged than the rate says.
"""

import math
from collections.abc import Sequence

import numpy as np

from nextchar.model.judging.intervals import clopper_pearson
from nextchar.model.judging.judge import Judge
from nextchar.model.judging.verdicts import AskedRate, Verdicts
from nextchar.model.surprise.curves import Doubles
from nextchar.model.surprise.online import lines_needed
from nextchar.model.surprise.online_scores import OnlineScores, Rank
from nextchar.model.vocabulary import Ids

MAX_SCORES = 1024  # that a string is compared with: they travel with a client's state
_UNRANKED = Rank(0, 0)  # of a string without a symbol
_BETWEEN_EQUALS = 1e-9  # of a nat per symbol: far below what scores differ by, far above their last digit


def nothing_read() -> OnlineScores:
    """Returns the scores of a text that begins."""
    return OnlineScores.begun(MAX_SCORES)


def verdicts_in_order(
    judge: Judge,
    texts: Sequence[str],
    ids: Sequence[Ids],
    logprobs: Sequence[Doubles],
    read_before: OnlineScores,
    *,
    false_alarm_rate: float | None = None,
) -> tuple[Verdicts, OnlineScores]:
    """Judges the next n strings of a text; returns the verdicts, and the scores read with them.

    A string without a symbol has the p-value 1 and is not counted among those read.

    Args:
        texts: The strings in the model's form.
        ids: Those of their characters.
        logprobs: Of their symbols under the mixture, as `Judge.verdicts` takes them.
        read_before: The scores of the strings before them.
        false_alarm_rate: Between 0 and 1; by default the judge's own.
    """
    rate = judge.card.default_rate if false_alarm_rate is None else false_alarm_rate
    ratios = judge.log_ratios(ids, logprobs)
    combined = judge.combined(texts, ids, logprobs, ratios)
    has_symbols = np.array([len(one) > 0 for one in logprobs], dtype=bool)
    surprise = np.array([-one.mean() for one in logprobs if len(one)])
    found, read = read_before.ranked(combined.score[has_symbols] + _BETWEEN_EQUALS * surprise)
    ranked = iter(found)
    ranks = [next(ranked) if has else _UNRANKED for has in has_symbols.tolist()]
    p_value = np.array([rank.p_value for rank in ranks])
    bounds = np.array([clopper_pearson(rank.num_at_least, rank.num_compared) for rank in ranks])
    asked = _asked(rate, read_before.num_read, found[-1].num_compared if found else 0)
    verdicts = Verdicts(
        asked,
        combined.score,
        p_value,
        bounds[:, 0],
        bounds[:, 1],
        p_value <= rate,
        combined,
        texts,
        logprobs,
        judge.kinds,
        ratios,
    )
    return verdicts, read


def _asked(rate: float, num_read: int, num_compared: int) -> AskedRate:
    """Returns what so many strings that the last one is compared with can tell of a rate of false alarms."""
    num_flagged = math.floor(rate * (num_compared + 1) + 1e-9)
    low, high = clopper_pearson(num_flagged, num_compared)
    return AskedRate(rate, low, high, _warning(rate, num_read))


def _warning(rate: float, num_read: int) -> str | None:
    """Says which strings cannot be flagged at a rate, or returns None if there are none."""
    needed = lines_needed(rate)
    if needed > 2 * MAX_SCORES - 1:
        return (
            f"at a false-alarm rate of {rate:g} no string can be flagged: a judge that learns compares each "
            f"with {MAX_SCORES:,} at most, so that its finest rate is {1 / (MAX_SCORES + 1):.2g}"
        )
    if num_read >= needed:
        return None
    return (
        f"at a false-alarm rate of {rate:g} no string can be flagged before {needed:,} strings were read; "
        f"before these, {num_read:,} were"
    )
