"""Runs jobs one at a time: those of an owner in the order of their arrival, the owners in turn."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

J = TypeVar("J")
_NEW_SHARE = 0.3  # of the last job's time in the mean of all


class TurnQueue(Generic[J]):
    """Gives each owner every n-th turn of n, however many jobs the others have queued.

    A job that has begun runs to its end, whoever still waits for it, so that there is never a second one.
    """

    def __init__(self, run: Callable[[J], Awaitable[None]], *, max_jobs: int, first_seconds: float) -> None:
        """Makes an empty queue.

        Args:
            run: Runs a job; must not raise.
            max_jobs: Most jobs of one owner that wait.
            first_seconds: How long a job takes, for as long as none was measured.
        """
        self._run, self._max_jobs, self._mean_seconds = run, max_jobs, first_seconds
        self._by_owner: OrderedDict[str, deque[J]] = OrderedDict()
        self._running: asyncio.Task[None] | None = None

    def has_room(self, owner: str) -> bool:
        """Returns whether an owner may queue one more job."""
        return len(self._by_owner.get(owner, ())) < self._max_jobs

    @property
    def is_busy(self) -> bool:
        """Whether a job that is added now waits for another."""
        return self._running is not None

    def seconds_to_room(self) -> float:
        """Estimates when an owner that has no room has some: when it is its turn again, at the latest."""
        return len(self._by_owner) * self._mean_seconds

    def add(self, owner: str, job: J) -> None:
        """Queues a job, for which there is room."""
        assert self.has_room(owner)
        self._by_owner.setdefault(owner, deque()).append(job)
        if self._running is None:
            self._running = asyncio.create_task(self._run_all())

    def remove(self, owner: str, job: J) -> bool:
        """Removes a job; returns false if it runs already, or is not here."""
        jobs = self._by_owner.get(owner, deque())
        if job not in jobs:
            return False
        jobs.remove(job)
        if not jobs:
            del self._by_owner[owner]
        return True

    async def _run_all(self) -> None:
        try:
            while self._by_owner:
                owner, jobs = self._by_owner.popitem(last=False)
                job = jobs.popleft()
                if jobs:
                    self._by_owner[owner] = jobs  # behind the other owners
                started = time.monotonic()
                await self._run(job)
                self._mean_seconds += _NEW_SHARE * (time.monotonic() - started - self._mean_seconds)
        finally:
            self._running = None
