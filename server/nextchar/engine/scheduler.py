"""What an engine does next: which waiting work joins, and whose turn the next call of the graph is.

Pure: no thread, no clock, no I/O; time is an argument.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

from nextchar.engine.lane import FOREVER, Lane, Level, ScoreJob, Work
from nextchar.engine.queue_estimate import Backlog
from nextchar.errors import DeadlineExceeded, NextcharError, QueueFull
from nextchar.schemas.limits import MAX_PRIORITY

# Of the time that two levels compete for, what the later one gets at least.
_SHARE = 0.25
_SOON_SECONDS = 0.1  # a wait that nobody is refused for: an estimate is no better than that
_UNKNOWN_SECONDS = 1.0  # to come again in, where no rate is known yet
# What calls of several steps are kept to, so that nobody waits long for their end.
MAX_CALL_SECONDS = {Level.INTERACTIVE: 0.001, Level.SAMPLING: 0.003, Level.BULK: 0.001}
LONG_CALL_SECONDS = 0.03  # the same for completions while no live requests come


class Scheduler:
    """Bounded waiting lines, one a level, each in order of priority, then of arrival.

    `max_sampling` rows are for completions, `max_lanes` for them and live requests together, so a live
    request does not wait for a completion to end. At most `max_waiting` strings wait at a level, and nobody
    for longer than `max_wait_seconds`: who would have to, by what is known, is not let in. At most `max_jobs`
    jobs run.
    """

    def __init__(
        self,
        *,
        max_lanes: int,
        max_sampling: int,
        max_jobs: int,
        max_waiting: int,
        max_wait_seconds: float = FOREVER,
    ) -> None:
        assert 0 < max_sampling <= max_lanes
        self._max_lanes = max_lanes
        self._max_sampling = max_sampling
        self._max_jobs = max_jobs
        self._max_waiting, self._max_wait_seconds = max_waiting, max_wait_seconds
        # By priority, work and its steps. Dictionaries as ordered sets: what leaves early needs no search.
        self._lines: dict[Level, dict[int, dict[Work, int]]] = {level: {} for level in Level}
        self._num_strings = dict.fromkeys(Level, 0)  # a job counts for as many as it has
        self._backlogs = {level: Backlog() for level in Level}
        self._earliest_deadline = FOREVER

    @property
    def num_waiting(self) -> int:
        """Strings that wait."""
        return sum(self._num_strings.values())

    def worked(self, level: Level, num_steps: int, seconds: float) -> None:
        """So many steps of a level got done. How fast it can go shows while its rows are all in use."""
        if not self._backlogs[level].is_empty:
            self._backlogs[level].worked(num_steps, seconds)

    def wait_seconds(self, level: Level, priority: int, num_free: int = 0) -> float:
        """How long who comes now has to wait for a row, by what waits and how fast it goes.

        So many of those who wait have a row already, and only have not been let to it yet.
        """
        num_waiting = sum(map(len, self._lines[level].values()))
        if num_waiting <= num_free:
            return 0.0
        return self._backlogs[level].wait_seconds(priority) * (1 - num_free / num_waiting)

    def last_begins_seconds(self, level: Level) -> float:
        """How long the last who waits now has to wait for a row."""
        return self._backlogs[level].wait_seconds(MAX_PRIORITY)

    def longest_waiting(self, level: Level) -> int:
        """The steps of the longest work that waits; 0 if none does."""
        return max((steps for line in self._lines[level].values() for steps in line.values()), default=0)

    def add(self, works: Iterable[Work], free: Sequence[int] = (0, 0, 0)) -> None:
        """Let work wait, all or none; `free` rows are there for each level.

        Raises:
            QueueFull: it would be more than may wait.
        """
        works = list(works)
        for level in {work.level for work in works}:
            self._check([work for work in works if work.level is level], free[level])
        for work in works:
            num_steps = work.num_steps
            self._lines[work.level].setdefault(work.priority, {})[work] = num_steps
            self._num_strings[work.level] += work.num_strings
            self._backlogs[work.level].add(work.priority, num_steps)
            self._earliest_deadline = min(self._earliest_deadline, self._leaves_at(work))

    def _check(self, works: list[Work], num_free: int) -> None:
        """Hold the works of one level against what may wait, and for how long."""
        first, num_strings = works[0], sum(work.num_strings for work in works)
        waiting = self._num_strings[first.level]
        wait = self.wait_seconds(first.level, first.priority, num_free)
        if waiting + num_strings > self._max_waiting:
            raise QueueFull(
                f"the queue is full: {waiting} strings wait, this request has {num_strings}, "
                f"the limit is {self._max_waiting}; try again later",
                retry_after_seconds=wait or _UNKNOWN_SECONDS,
            )
        if wait > max(_SOON_SECONDS, min(self._max_wait_seconds, first.deadline - first.submitted)):
            raise QueueFull(
                f"the queue is full: this request would wait for about {wait:.1f} s, longer than it may",
                retry_after_seconds=wait,
            )

    def _leaves_at(self, work: Work) -> float:
        """When it waits no longer, whether or not there is a row."""
        return min(work.deadline, work.submitted + self._max_wait_seconds)

    def remove(self, work: Work) -> bool:
        """Forget waiting work; whether it was waiting."""
        line = self._lines[work.level].get(work.priority, {})
        if work not in line:
            return False
        self._backlogs[work.level].remove(work.priority, line.pop(work))
        self._num_strings[work.level] -= work.num_strings
        if not line:
            del self._lines[work.level][work.priority]
        return True

    def expired(self, now: float) -> list[tuple[Work, NextcharError]]:
        """Take out the work that has waited for as long as it may, each with why it ends."""
        if now < self._earliest_deadline:
            return []
        late = [work for work in self._all() if self._leaves_at(work) <= now]
        for work in late:
            self.remove(work)
        self._earliest_deadline = min(map(self._leaves_at, self._all()), default=FOREVER)
        return [(work, self._too_late(work, now)) for work in late]

    def _too_late(self, work: Work, now: float) -> NextcharError:
        if work.deadline <= now:
            return DeadlineExceeded("the request waited longer than its time limit")
        return QueueFull(
            f"the request has waited for {self._max_wait_seconds:g} s, the longest it may; try again later",
            code="queue_timeout",
            retry_after_seconds=self.wait_seconds(work.level, work.priority) or _UNKNOWN_SECONDS,
        )

    def admit_lanes(self, num_interactive: int, num_sampling: int) -> list[Lane]:
        """Take out the lanes that join now, given how many rows each level has."""
        interactive = self._take(Level.INTERACTIVE, self._max_lanes - num_interactive - num_sampling)
        free = self._max_lanes - num_interactive - num_sampling - len(interactive)
        sampling = self._take(Level.SAMPLING, min(free, self._max_sampling - num_sampling))
        return cast(list[Lane], interactive + sampling)

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
        lines = self._lines[level]
        in_order = (work for priority in sorted(lines) for work in lines[priority])
        taken = list(islice(in_order, max(0, count)))
        for work in taken:
            self.remove(work)
        return taken

    def _all(self) -> Iterator[Work]:
        for lines in self._lines.values():
            for priority in sorted(lines):
                yield from lines[priority]


class Turns:
    """Whose turn the next call is, and how many steps it may have.

    The turn is the first level's that has work, unless a later one is due: when those before it have had
    `(1 - share) / share` of the time of its own last call since then. A call has several steps only if they
    fit into the time that calls are kept to. So a live request waits for the running call, and
    between two of its own for one call of each later level at most.
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

    def max_steps(self, level: Level, seconds: float) -> int:
        """How many steps the next call for a level may have, if it is kept to so much time."""
        return max(1, min(self._max_steps, int(seconds / self._step[level])))

    def _is_due(self, level: Level) -> bool:
        return self._since[level] >= self._last[level] * (1 - _SHARE) / _SHARE

    def record(self, level: Level, seconds: float, num_steps: int) -> None:
        """A call for a level took so long and had so many steps."""
        self._since[level], self._last[level] = 0.0, seconds
        self._step[level] = seconds / num_steps
        for later in Level:
            if later > level:
                self._since[later] += seconds
