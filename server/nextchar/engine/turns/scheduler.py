"""Queues work, refuses what would wait too long, and decides which work joins the engine's rows.

Pure: no thread, no clock, no I/O; time is an argument.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

from nextchar.engine.estimates.queue_estimate import QueueEstimate
from nextchar.engine.lane import Lane, ScoreJob
from nextchar.engine.work import UNLIMITED, Level, Work
from nextchar.errors import DeadlineExceeded, NextcharError, QueueFull
from nextchar.schemas.limits import MAX_PRIORITY

_SOON_SECONDS = 0.1  # a wait that no work is refused for: an estimate is no better than that
_UNKNOWN_SECONDS = 1.0  # to retry after, while no rate is known


def _with_tables(works: Iterable[Work], reserve: Callable[[Lane], bool]) -> Iterator[Work]:
    """Yields the works that need no tables, and the others up to the first that finds no room for its own."""
    has_room = True
    for work in works:
        if isinstance(work, Lane) and work.memory is not None:
            has_room = has_room and reserve(work)
            if not has_room:
                continue
        yield work


class Scheduler:
    """Bounded queues, one per level, each in order of priority, then of arrival.

    `max_sampling` rows are for completions, `max_lanes` for them and interactive requests together, so an
    interactive request does not wait for a completion to end. At most `max_waiting` strings wait per level,
    none for longer than `max_wait_seconds`: work that would have to wait longer, by the estimate, is refused.
    At most `max_jobs` jobs run.
    """

    def __init__(
        self,
        *,
        max_lanes: int,
        max_sampling: int,
        max_jobs: int,
        max_waiting: int,
        max_wait_seconds: float = UNLIMITED,
    ) -> None:
        assert 0 < max_sampling <= max_lanes
        self._max_lanes = max_lanes
        self._max_sampling = max_sampling
        self._max_jobs = max_jobs
        self._max_waiting, self._max_wait_seconds = max_waiting, max_wait_seconds
        # By priority, work and its steps. Dictionaries as ordered sets: what leaves early needs no search.
        self._queues: dict[Level, dict[int, dict[Work, int]]] = {level: {} for level in Level}
        self._num_strings = dict.fromkeys(Level, 0)  # a job counts for as many as it has
        self._estimates = {level: QueueEstimate() for level in Level}
        self._earliest_deadline = UNLIMITED

    def num_strings(self, level: Level) -> int:
        """Returns how many strings wait in the queue of a level."""
        return self._num_strings[level]

    @property
    def num_waiting(self) -> int:
        """The number of strings that wait."""
        return sum(self._num_strings.values())

    def record(self, level: Level, num_steps: int, seconds: float) -> None:
        """Counts steps of a level that were done. Its rate shows only while all its rows are active."""
        if not self._estimates[level].is_empty:
            self._estimates[level].record(num_steps, seconds)

    def wait_seconds(self, level: Level, priority: int, num_free: int = 0) -> float:
        """Returns the estimated wait of new work for a row.

        For the first `num_free` of those that wait a row is free: they have only not joined yet.
        """
        num_waiting = sum(map(len, self._queues[level].values()))
        if num_waiting <= num_free:
            return 0.0
        return self._estimates[level].wait_seconds(priority) * (1 - num_free / num_waiting)

    def last_begins_seconds(self, level: Level) -> float:
        """Returns how long the last work in a level's queue has to wait for a row."""
        return self._estimates[level].wait_seconds(MAX_PRIORITY)

    def longest_waiting(self, level: Level) -> int:
        """Returns the steps of the longest work in a level's queue; 0 if there is none."""
        return max((steps for queue in self._queues[level].values() for steps in queue.values()), default=0)

    def add(self, works: Iterable[Work], free: Sequence[int] = (0, 0, 0)) -> None:
        """Queues work, all or none; `free` is the number of free rows per level.

        Raises:
            QueueFull: more strings would wait than may, or for longer than they may.
        """
        works = list(works)
        for level in {work.level for work in works}:
            self._check([work for work in works if work.level is level], free[level])
        for work in works:
            num_steps = work.num_steps
            self._queues[work.level].setdefault(work.priority, {})[work] = num_steps
            self._num_strings[work.level] += work.num_strings
            self._estimates[work.level].add(work.priority, num_steps)
            self._earliest_deadline = min(self._earliest_deadline, self._leaves_at(work))

    def _check(self, works: list[Work], num_free: int) -> None:
        """Checks the works of one level against how many strings may wait, and for how long."""
        first, num_strings = works[0], sum(work.num_strings for work in works)
        waiting = self._num_strings[first.level]
        wait = self.wait_seconds(first.level, first.priority, num_free)
        if waiting + num_strings > self._max_waiting:
            raise QueueFull(
                f"the queue is full: {waiting} strings wait, this request has {num_strings}, "
                f"the limit is {self._max_waiting}; try again later",
                retry_after_seconds=wait or _UNKNOWN_SECONDS,
            )
        longest_wait = max(_SOON_SECONDS, min(self._max_wait_seconds, first.deadline - first.submitted))
        if wait > longest_wait:
            raise QueueFull(
                f"the queue is full: this request would wait for about {wait:.1f} s, its limit is "
                f"{longest_wait:.1f} s; try again later",
                retry_after_seconds=wait,
            )

    def _leaves_at(self, work: Work) -> float:
        """Returns when work leaves the queue, whether or not there is a row."""
        return min(work.deadline, work.submitted + self._max_wait_seconds)

    def remove(self, work: Work) -> bool:
        """Removes work from its queue; returns whether it was there."""
        queue = self._queues[work.level].get(work.priority, {})
        if work not in queue:
            return False
        self._estimates[work.level].remove(work.priority, queue.pop(work))
        self._num_strings[work.level] -= work.num_strings
        if not queue:
            del self._queues[work.level][work.priority]
        return True

    def expired(self, now: float) -> list[tuple[Work, NextcharError]]:
        """Takes out the work that has waited for as long as it may, each with the error that ends it."""
        if now < self._earliest_deadline:
            return []
        late = [work for work in self._all() if self._leaves_at(work) <= now]
        for work in late:
            self.remove(work)
        self._earliest_deadline = min(map(self._leaves_at, self._all()), default=UNLIMITED)
        return [(work, self._too_late(work, now)) for work in late]

    def _too_late(self, work: Work, now: float) -> NextcharError:
        if work.deadline <= now:
            return DeadlineExceeded(
                "the request waited in the queue until its timeout; set a longer timeout or try again later"
            )
        return QueueFull(
            f"the request has waited for the queue timeout of {self._max_wait_seconds:g} s; try again later",
            code="queue_timeout",
            retry_after_seconds=self.wait_seconds(work.level, work.priority) or _UNKNOWN_SECONDS,
        )

    def admit_lanes(
        self, num_interactive: int, num_sampling: int, reserve: Callable[[Lane], bool]
    ) -> list[Lane]:
        """Takes out the lanes that join now, given how many rows each level has.

        `reserve` takes the tables of an adaptive lane, if there is room for them. Until there is, that lane
        and the adaptive ones behind it, of its level, wait; plain ones do not.
        """
        room = self._max_lanes - num_interactive - num_sampling
        interactive = self._take_lanes(Level.INTERACTIVE, room, reserve)
        free = self._max_lanes - num_interactive - num_sampling - len(interactive)
        room = min(free, self._max_sampling - num_sampling)
        return interactive + self._take_lanes(Level.SAMPLING, room, reserve)

    def admit_jobs(self, num_jobs: int) -> list[ScoreJob]:
        """Takes out the jobs that begin now, given how many run."""
        free = self._max_jobs - num_jobs
        return cast(list[ScoreJob], self._take(self._by_priority(Level.BULK), free))

    def drain(self) -> list[Work]:
        """Takes out all work."""
        works = list(self._all())
        for work in works:
            self.remove(work)
        return works

    def _take_lanes(self, level: Level, count: int, reserve: Callable[[Lane], bool]) -> list[Lane]:
        return cast(list[Lane], self._take(_with_tables(self._by_priority(level), reserve), count))

    def _take(self, works: Iterator[Work], count: int) -> list[Work]:
        taken = list(islice(works, max(0, count)))
        for work in taken:
            self.remove(work)
        return taken

    def _by_priority(self, level: Level) -> Iterator[Work]:
        queues = self._queues[level]
        return (work for priority in sorted(queues) for work in queues[priority])

    def _all(self) -> Iterator[Work]:
        for level in self._queues:
            yield from self._by_priority(level)
