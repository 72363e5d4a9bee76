"""Fits the distribution of surprise by length to the scores of held-out strings. Pure NumPy.

For each length: a mean and a spread of bits per symbol, by a straight line in the logarithm of the length
through the nearest strings, which are those of the length itself where there are enough. Strings are
standardised by them, and the quantiles of the nearest standardised strings, more of them because their shape
hardly depends on the length, are scaled back. Quantiles are placed by the rule (k + 1) / (n + 1).

The tail beyond is a generalised Pareto distribution of the excess over the twentieth most surprising part of
the strings (Pickands 1975), estimated by probability-weighted moments (Hosking and Wallis 1987): its scale at
each length, its shape for all of them together, from -0.25 to 0.5. A negative shape is that of a tail with an
end; p-values stop at their limit before it.
"""

import numpy as np
from numpy.typing import NDArray

from nextchar.model.surprise.curves import Doubles, Numbers, SurpriseCurves

MIN_STRINGS = 100
NUM_LOCAL = 200  # strings of about a length for its mean and spread: the mean is known to 0.07 spreads
NUM_POOLED = 2000  # standardised strings for its quantiles
_SHARES = np.array(
    [1, 0.99, 0.98, 0.95, *np.arange(0.9, 0.1, -0.05), 0.1, 0.075, 0.05, 0.035, 0.02, 0.01], dtype=np.float64
)
_MIN_IN_TAIL = 10  # strings beyond the last quantile
_TAIL_SHARE = 0.05
_MIN_EXCESSES = 50
_LEAST_SHAPE, _LARGEST_SHAPE = -0.25, 0.5
_MIN_AT_ENDS = 5  # strings at or beyond the shortest and the longest length that count
_EVERY, _SPARSE = 64, 32  # lengths: all up to the first, then at most so many more
_MIN_SPREAD = 1e-3  # bits per symbol


def fit_curves(
    num_symbols: Numbers, bits: Doubles, *, num_local: int = NUM_LOCAL, num_pooled: int = NUM_POOLED
) -> SurpriseCurves | None:
    """Fits curves to strings of `num_symbols` [n] and their bits per symbol [n]; None for fewer than 100.

    With `num_local` and `num_pooled` 1, each length is measured by its own strings alone.
    """
    if len(bits) < MIN_STRINGS:
        return None
    lengths = _lengths(num_symbols, _MIN_AT_ENDS if num_local > 1 else 1)
    logs, at = np.log(num_symbols), np.log(lengths)
    centres = np.array([_centre(logs, bits, length, num_local) for length in at])
    means, spreads = centres.T
    standard = (bits - np.interp(logs, at, means)) / np.interp(logs, at, spreads)
    samples = [np.sort(standard[_nearest(logs, length, num_pooled)]) for length in at]
    counts = np.array([len(sample) for sample in samples], dtype=np.float64)
    shares = _SHARES[min(0.5, _MIN_IN_TAIL / counts.min()) <= _SHARES]
    quantiles = np.array([_quantiles(sample, shares) for sample in samples])
    scales, shape = _tails(samples, quantiles[:, -1], max(_TAIL_SHARE, shares[-1]))
    return SurpriseCurves(
        lengths,
        shares,
        np.maximum.accumulate(means[:, None] + spreads[:, None] * quantiles, axis=1),
        np.maximum(scales * spreads, _MIN_SPREAD),
        shape,
        counts,
    )


def _lengths(num_symbols: Numbers, min_at_ends: int) -> Doubles:
    """Returns the lengths to measure: all that occur but ends that hardly do, and few of the long ones."""
    ordered = np.sort(num_symbols)
    found = np.unique(ordered[min_at_ends - 1 : len(ordered) - min_at_ends + 1]).astype(np.float64)
    longer = found[found > _EVERY]
    kept = np.unique(np.linspace(0, len(longer) - 1, min(_SPARSE, len(longer))).astype(int))
    return np.concatenate([found[found <= _EVERY], longer[kept]])


def _nearest(logs: Doubles, length: float, count: int) -> NDArray[np.bool_]:
    """Marks the strings of the nearest lengths: at least `count`, and all of the last of these lengths."""
    distances = np.abs(logs - length)
    last = min(count, len(logs)) - 1
    marked: NDArray[np.bool_] = distances <= np.partition(distances, last)[last] + 1e-12
    return marked


def _centre(logs: Doubles, bits: Doubles, length: float, count: int) -> tuple[float, float]:
    """Returns the mean and the spread at a length, by the line through the nearest strings."""
    near = _nearest(logs, length, count)
    x, y = logs[near] - length, bits[near]
    slope = 0.0 if np.ptp(x) == 0 else float(np.cov(x, y, bias=True)[0, 1] / np.var(x))
    mean = float(y.mean() - slope * x.mean())
    return mean, max(float(np.std(y - slope * x)), _MIN_SPREAD)


def _quantiles(ordered: Doubles, shares: Doubles) -> Doubles:
    """Returns the values at which (k + 1) / (n + 1) is each share; k of n values are at least as large."""
    count = len(ordered)
    places = np.clip(count + 2 - shares * (count + 1), 1, count)
    found: Doubles = np.interp(places, np.arange(1, count + 1), ordered)
    found[0] = ordered[0]
    return found


def _tails(samples: list[Doubles], last: Doubles, share: float) -> tuple[Doubles, float]:
    """Returns the scale of each sample's tail beyond its `last` quantile, and the shape of all."""
    begins = np.array([_quantiles(sample, np.array([1.0, share]))[1] for sample in samples])
    excesses = [sample[sample > begin] - begin for sample, begin in zip(samples, begins, strict=True)]
    means = np.array([excess.mean() if len(excess) else 0.0 for excess in excesses])
    pooled = [excess / mean for excess, mean in zip(excesses, means, strict=True) if mean > 0]
    shape = _shape(np.concatenate(pooled)) if pooled else 0.0
    scales = means * (1 - shape)
    return np.maximum(scales + shape * (last - begins), scales / 10), shape


def _shape(excesses: Doubles) -> float:
    """Estimates the shape of a generalised Pareto distribution by its first two weighted moments."""
    ordered, count = np.sort(excesses), len(excesses)
    if count < _MIN_EXCESSES:
        return 0.0
    first = float(ordered.mean())
    second = float((ordered * np.arange(count - 1, -1, -1)).sum() / count / (count - 1))
    return min(max(2 - first / (first - 2 * second), _LEAST_SHAPE), _LARGEST_SHAPE) if second > 0 else 0.0
