"""How long the end of a waiting line has to wait: what waits, by priority, over how fast it is worked off.

Pure: time is an argument.
"""

_MEMORY_SECONDS = 3.0  # of the measured rate


class Rate:
    """How fast something gets done, of the last while."""

    def __init__(self) -> None:
        self._num_done, self._seconds = 0.0, 0.0  # older ones counting less

    def worked(self, num_steps: int, seconds: float) -> None:
        """So many steps got done in a time."""
        keep = max(0.0, 1 - seconds / _MEMORY_SECONDS)
        self._num_done = self._num_done * keep + num_steps
        self._seconds = self._seconds * keep + seconds

    @property
    def per_second(self) -> float:
        """Steps a second; 0 while nothing is known."""
        return self._num_done / self._seconds if self._seconds > 0 else 0.0


class Backlog:
    """One level's waiting steps, and the rate at which its steps get done while there are any.

    A step is one character of one row. Of work that ends before its time, the other steps count as done then,
    since that is what it does for those who wait.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}  # steps by priority
        self._rate = Rate()

    def add(self, priority: int, num_steps: int) -> None:
        self._waiting[priority] = self._waiting.get(priority, 0) + num_steps

    def remove(self, priority: int, num_steps: int) -> None:
        self._waiting[priority] -= num_steps

    @property
    def is_empty(self) -> bool:
        return not any(self._waiting.values())

    def worked(self, num_steps: int, seconds: float) -> None:
        """So many steps got done in a time in which somebody waited: with all rows in use."""
        self._rate.worked(num_steps, seconds)

    @property
    def rate(self) -> float:
        """Steps a second; 0 while nothing is known."""
        return self._rate.per_second

    def wait_seconds(self, priority: int) -> float:
        """How long one waits who comes now with a priority: behind those of this and of lower numbers."""
        ahead = sum(steps for number, steps in list(self._waiting.items()) if number <= priority)
        return ahead / self.rate if ahead and self.rate > 0 else 0.0
