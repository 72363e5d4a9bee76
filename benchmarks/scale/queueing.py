"""The queues of a node and of many: what waits, for how long, by formulas alone.

Sources: Little, A Proof for the Queuing Formula L = λW (1961). Cohen, The Multiple Phase Service Network with
Generalized Processor Sharing (1979). Erlang's C, and for other service times than exponential ones the factor
(1 + c²) / 2 of Allen and Cunneen. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (1996).
Raab and Steger, Balls into Bins, A Simple and Tight Analysis (1998).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt

_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Sharing:
    """Says how an engine fares whose lanes share its steps.

    `num_lanes` is the mean number of completions that run or wait, `waiting` the probability that one finds
    all lanes taken, `seconds` its mean time from arrival to its last character.
    """

    num_lanes: float
    waiting: float
    seconds: float


def shared(
    speed: Callable[[int], float], *, max_lanes: int, load: float, chars_per_completion: float
) -> Sharing:
    """Returns the state of an engine whose n lanes advance by `speed(n)` characters per second together.

    A birth-death process: the probability of n is proportional to ∏ a / speed(i), with a the characters
    that arrive per second. While lanes are free this is processor sharing, and only the mean length of a
    completion counts; beyond `max_lanes` completions wait, and lengths are taken to be exponential.

    Raises:
        ValueError: `load`, as a share of the speed of all lanes, is not between 0 and 1.
    """
    if not 0 < load < 1:
        raise ValueError(f"load must be between 0 and 1 (it is {load})")
    arriving = load * speed(max_lanes)
    weights = [1.0]
    for n in range(1, max_lanes + 1):
        weights.append(weights[-1] * arriving / speed(n))
    # From max_lanes on each next weight is `load` times the last: a geometric series.
    full = weights.pop() / (1 - load)
    total = sum(weights) + full
    mean = sum(n * w for n, w in enumerate(weights)) / total + (max_lanes + load / (1 - load)) * full / total
    return Sharing(mean, full / total, mean * chars_per_completion / arriving)


def speed_of(rates: Mapping[int, float]) -> Callable[[int], float]:
    """Returns characters per second by number of lanes, from measured ones.

    The time of a step is a straight line between two measured numbers, and goes on so beyond the last.
    """
    points = [(n, n / rate) for n, rate in sorted(rates.items())]

    def speed(num_lanes: int) -> float:
        (n, t), (m, u) = next((p for p in pairwise(points) if num_lanes <= p[1][0]), (points[-2], points[-1]))
        return num_lanes / (t + (u - t) * (num_lanes - n) / (m - n))

    return speed


def wait(num_servers: int, load: float, *, variability: float = 1.0) -> float:
    """Returns the mean wait in M/G/k, in service times; `variability` is c², that of the service time.

    It is exact for one server and for exponential service times, where c² is 1.
    """
    offered, blocked = num_servers * load, 1.0
    for k in range(1, num_servers + 1):  # Erlang's B by its recurrence
        blocked = offered * blocked / (k + offered * blocked)
    delayed = blocked / (1 - load + load * blocked)
    return delayed / (num_servers * (1 - load)) * (1 + variability) / 2


def wait_of_two_choices(load: float) -> float:
    """Returns the mean wait, in service times, where each call goes to the less busy of two servers of many.

    Service times are exponential, and a busier one has the longer queue.
    """
    total, exponent = 0.0, 2
    while (term := load ** (exponent - 2)) > _NEGLIGIBLE:
        total, exponent = total + term, 2 * exponent
    return total - 1


def busiest(mean: float, num_nodes: int) -> float:
    """Returns how much the busiest of many nodes has ÷ the mean, where a hash spreads `mean` users on each.

    m + √(2 m ln n), for means that are large beside ln n.
    """
    return 1 + sqrt(2 * log(num_nodes) / mean)
