"""Estimates how long queued work waits: the steps queued, divided by the measured rate of steps.

Pure: time is an argument.
"""

from collections.abc import Sequence

from nextchar.engine.work import Level

_MEMORY_SECONDS = 3.0  # over which the rate is measured
_PAUSE_SECONDS = 0.01  # a pause between two calls counts as work up to this; the rest was idle


class Rate:
    """The rate at which steps were done over the last seconds."""

    def __init__(self) -> None:
        self._num_done, self._seconds = 0.0, 0.0  # older ones counting less

    def record(self, num_steps: int, seconds: float) -> None:
        """Counts steps done in a time."""
        keep = max(0.0, 1 - seconds / _MEMORY_SECONDS)
        self._num_done = self._num_done * keep + num_steps
        self._seconds = self._seconds * keep + seconds

    @property
    def per_second(self) -> float:
        """Steps per second; 0 while nothing is known."""
        return self._num_done / self._seconds if self._seconds > 0 else 0.0


class QueueEstimate:
    """Estimates the wait in one level's queue from its steps and their rate while there were any.

    A step is one character of one row. When work ends early, its other steps count as done then, since those
    behind it move up by as much.
    """

    def __init__(self) -> None:
        self._steps: dict[int, int] = {}  # queued steps by priority
        self._rate = Rate()

    def add(self, priority: int, num_steps: int) -> None:
        self._steps[priority] = self._steps.get(priority, 0) + num_steps

    def remove(self, priority: int, num_steps: int) -> None:
        self._steps[priority] -= num_steps

    @property
    def is_empty(self) -> bool:
        return not any(self._steps.values())

    def record(self, num_steps: int, seconds: float) -> None:
        """Counts steps done in a time in which work was queued: with all rows active."""
        self._rate.record(num_steps, seconds)

    @property
    def rate(self) -> float:
        """Steps per second; 0 while nothing is known."""
        return self._rate.per_second

    def wait_seconds(self, priority: int) -> float:
        """Returns the wait of new work with a priority: behind all of this and of lower numbers."""
        ahead = sum(steps for number, steps in list(self._steps.items()) if number <= priority)
        return ahead / self.rate if ahead and self.rate > 0 else 0.0


class Progress:
    """Measures how fast each level that has work advances, and how long it waits for its calls.

    The pace of interactive requests and completions is that of one row; of bulk work it is that of all rows
    together, since the rows of a job come and go. Times are seconds of one clock.
    """

    def __init__(self) -> None:
        self._paces = {level: Rate() for level in Level}
        self._num_done: tuple[int, ...] = (0,) * len(Level)  # as last measured
        self._last_ended = 0.0
        self._ready_since: dict[Level, float] = {}  # by level that has work

    def record(
        self,
        call_level: Level,
        active: Sequence[Level],
        num_done: tuple[int, ...],
        num_steps: int,
        started: float,
        ended: float,
    ) -> tuple[float, list[int]]:
        """Records a call for a level with `num_steps` steps; `num_done` are all steps so far, by level.

        Returns the seconds since the last call, and the steps that each active level has done in them.
        """
        seconds = ended - max(self._last_ended, started - _PAUSE_SECONDS)
        self._last_ended = ended
        num_new = [num_done[level] - self._num_done[level] for level in active]
        for level, num_level_steps in zip(active, num_new, strict=True):
            num_row_steps = num_steps if _advances(call_level, level) else 0
            self._paces[level].record(num_level_steps if level is Level.BULK else num_row_steps, seconds)
        self._num_done = num_done
        return seconds, num_new

    def waits(
        self, call_level: Level, active: Sequence[Level], started: float, ended: float
    ) -> list[tuple[Level, float]]:
        """Returns how long each level of a call waited for it: since its last one, or since it has work."""
        since = {level: self._ready_since.get(level, started) for level in active}
        served = [level for level in active if _advances(call_level, level)]
        waits = [(level, started - since[level]) for level in served]
        self._ready_since = since | dict.fromkeys(served, ended)
        return waits

    def rest(self) -> None:
        """Notes that no level has rows: those that join later have not waited since the last call."""
        self._ready_since.clear()

    def seconds(self, level: Level, num_steps: int) -> float:
        """Returns how long steps of a level take; 0 while its pace is not known."""
        pace = self._paces[level].per_second
        return num_steps / pace if pace > 0 else 0.0


def _advances(call_level: Level, level: Level) -> bool:
    """Returns whether a call for one level advances the rows of another.

    A call for completions also advances the interactive rows.
    """
    return call_level is level or (level is Level.INTERACTIVE and call_level is Level.SAMPLING)
