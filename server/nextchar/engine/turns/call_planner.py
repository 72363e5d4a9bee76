"""Plans the next call of the graph: which level it is for, and how many steps it may have.

Pure: no thread, no clock, no I/O; time is an argument.
"""

from collections.abc import Sequence

from nextchar.engine.work import Level

_SHARE = 0.25  # the least part of the time that two levels compete for which the later one gets
# The longest time of a call of several steps, so that no other work waits long for its end.
MAX_CALL_SECONDS = {Level.INTERACTIVE: 0.001, Level.SAMPLING: 0.003, Level.BULK: 0.001}
LONG_CALL_SECONDS = 0.03  # the same for completions while no interactive requests come
_INTERACTIVE_SECONDS = 1.0  # after an interactive request, in which another is expected


class CallPlanner:
    """Chooses the level and the length of each call of the graph.

    The turn is the first level's that has work, unless a later one is due: when the levels before it have had
    `(1 - share) / share` of the time of its own last call since then. A call has several steps only if they
    fit into the time limit of calls. So an interactive request waits for the running call, and between two
    of its own for at most one call of each later level.
    """

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps
        self._since = dict.fromkeys(Level, 0.0)  # seconds earlier levels ran since this level's last call
        self._last = dict.fromkeys(Level, 0.0)  # seconds of this level's last call
        self._step = dict(MAX_CALL_SECONDS)  # seconds of one step of it

    def plan(self, active: Sequence[Level], seconds_since_live: float) -> tuple[Level, int]:
        """Returns the level of the next call and how many steps it may have.

        `active` are the levels that have work, in order and at least one; the last interactive request was
        served `seconds_since_live` ago, by any engine.
        """
        level = self.choose(active)
        is_short = level is not Level.SAMPLING or seconds_since_live < _INTERACTIVE_SECONDS
        return level, self.max_steps(level, MAX_CALL_SECONDS[level] if is_short else LONG_CALL_SECONDS)

    def choose(self, active: Sequence[Level]) -> Level:
        """Chooses one of the levels that have work, given in order and at least one."""
        due = (level for level in reversed(active[1:]) if self._is_due(level))
        return next(due, active[0])

    def max_steps(self, level: Level, seconds: float) -> int:
        """Returns how many steps fit into a call for a level that may take so many seconds; at least 1."""
        return max(1, min(self._max_steps, int(seconds / self._step[level])))

    def _is_due(self, level: Level) -> bool:
        return self._since[level] >= self._last[level] * (1 - _SHARE) / _SHARE

    def record(self, level: Level, seconds: float, num_steps: int) -> None:
        """Records how long a call for a level took and how many steps it had."""
        self._since[level], self._last[level] = 0.0, seconds
        self._step[level] = seconds / num_steps
        for later in Level:
            if later > level:
                self._since[later] += seconds
