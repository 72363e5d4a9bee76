"""What an engine does next: which waiting work joins, and whose turn the next call of the graph is.

Pure: no thread, no clock, no I/O; time is an argument.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from nextchar.errors import QueueFull
from nextchar.lane import FOREVER, Lane, Level, ScoreJob, Work

# Of the time that two levels compete for, what the later one gets at least.
_SHARE = 0.25
# What calls of several steps are kept to, so that nobody waits long for their end.
MAX_CALL_SECONDS = {Level.LIVE: 0.001, Level.SAMPLING: 0.003, Level.BULK: 0.001}


class Scheduler:
    """A bounded waiting line, by level, each in order of arrival.

    `max_sampling` rows are for completions, `max_lanes` for them and live requests together, so a live
    request does not wait for a completion to end. At most `max_waiting` strings wait, at most `max_jobs`
    jobs run.
    """

    def __init__(self, *, max_lanes: int, max_sampling: int, max_jobs: int, max_waiting: int) -> None:
        assert 0 < max_sampling <= max_lanes
        self._max_lanes = max_lanes
        self._max_sampling = max_sampling
        self._max_jobs = max_jobs
        self._max_waiting = max_waiting
        # Dictionaries as ordered sets: work that leaves early is dropped without a search.
        self._waiting: dict[Level, dict[Work, None]] = {level: {} for level in Level}
        self._earliest_deadline = FOREVER
        self.num_waiting = 0  # strings: a job counts for as many as it has

    def add(self, works: Iterable[Work]) -> None:
        """Let work wait, all or none.

        Raises:
            QueueFull: it would be more than may wait.
        """
        works = list(works)
        num_strings = sum(work.num_strings for work in works)
        if self.num_waiting + num_strings > self._max_waiting:
            raise QueueFull(
                f"the queue is full: {self.num_waiting} strings wait, this request has {num_strings}, "
                f"the limit is {self._max_waiting}; try again later"
            )
        for work in works:
            self._waiting[work.level][work] = None
            self._earliest_deadline = min(self._earliest_deadline, work.deadline)
        self.num_waiting += num_strings

    def remove(self, work: Work) -> bool:
        """Forget waiting work; whether it was waiting."""
        if work not in self._waiting[work.level]:
            return False
        del self._waiting[work.level][work]
        self.num_waiting -= work.num_strings
        return True

    def expired(self, now: float) -> list[Work]:
        """Take out the waiting work whose deadline has passed."""
        if now < self._earliest_deadline:
            return []
        late = [work for work in self._all() if work.deadline <= now]
        for work in late:
            self.remove(work)
        self._earliest_deadline = min((work.deadline for work in self._all()), default=FOREVER)
        return late

    def admit_lanes(self, num_live: int, num_sampling: int) -> list[Lane]:
        """Take out the lanes that join now, given how many rows each level has."""
        live = self._take(Level.LIVE, self._max_lanes - num_live - num_sampling)
        free = self._max_lanes - num_live - num_sampling - len(live)
        sampling = self._take(Level.SAMPLING, min(free, self._max_sampling - num_sampling))
        return cast(list[Lane], live + sampling)

    def admit_jobs(self, num_jobs: int) -> list[ScoreJob]:
        """Take out the jobs that begin now, given how many run."""
        return cast(list[ScoreJob], self._take(Level.BULK, self._max_jobs - num_jobs))

    def drain(self) -> list[Work]:
        """Take out everybody."""
        works = list(self._all())
        for work in works:
            self.remove(work)
        return works

    def _take(self, level: Level, count: int) -> list[Work]:
        taken = [work for work, _ in zip(self._waiting[level], range(count), strict=False)]
        for work in taken:
            self.remove(work)
        return taken

    def _all(self) -> Iterator[Work]:
        for waiting in self._waiting.values():
            yield from waiting


class Turns:
    """Whose turn the next call is, and how many steps it may have.

    The turn is the first level's that has work, unless a later one is due: when those before it have had
    `(1 - share) / share` of the time of its own last call since then. A call has several steps only if they
    fit into `MAX_CALL_SECONDS`. So a live request waits for the running call, and between two of its own
    for one call of each later level at most.
    """

    def __init__(self, max_steps: int) -> None:
        self._max_steps = max_steps
        self._since = dict.fromkeys(Level, 0.0)  # seconds earlier levels ran since this level's last call
        self._last = dict.fromkeys(Level, 0.0)  # seconds of this level's last call
        self._step = dict(MAX_CALL_SECONDS)  # seconds of one step of it

    def choose(self, active: Sequence[Level]) -> Level:
        """One of the levels that have work, given in order; there is one at least."""
        due = (level for level in reversed(active[1:]) if self._is_due(level))
        return next(due, active[0])

    def max_steps(self, level: Level) -> int:
        """How many steps the next call for a level may have."""
        return max(1, min(self._max_steps, int(MAX_CALL_SECONDS[level] / self._step[level])))

    def _is_due(self, level: Level) -> bool:
        return self._since[level] >= self._last[level] * (1 - _SHARE) / _SHARE

    def record(self, level: Level, seconds: float, num_steps: int) -> None:
        """A call for a level took so long and had so many steps."""
        self._since[level], self._last[level] = 0.0, seconds
        self._step[level] = seconds / num_steps
        for later in Level:
            if later > level:
                self._since[later] += seconds
