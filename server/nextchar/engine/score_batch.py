"""Runs jobs of strings to score: dense rows of their own walk the jobs' tries.

A row reads a node, takes the log-probabilities of all its children, and continues with the next number. Where
a node has branches, its state is kept and each branch that must be read is queued as pending. A row that has
come to an end takes a pending branch: of the job with the least left, the one with the most reads below it.
"""

import time

import numpy as np

from nextchar.engine.lane import ScoreJob
from nextchar.engine.state_pool import StatePool
from nextchar.engine.trie_walk import TrieWalk
from nextchar.engine.work import UNLIMITED, Outbox, Work
from nextchar.errors import NextcharError
from nextchar.model.step_runner import StepRunner, fitting_steps
from nextchar.model.vocabulary import Ids
from nextchar.telemetry.engine_stats import EngineStats

MAX_JOBS = 8  # that run at once; others wait in the queue


class ScoreBatch:
    """Holds the running jobs and the rows that walk them, 0 … num_rows-1. No threads and no queue."""

    def __init__(self, runner: StepRunner, stats: EngineStats) -> None:
        self._runner = runner
        self._pool = StatePool(runner)
        self._stats = stats
        self._walks: list[TrieWalk] = []
        self._nodes: Ids = np.zeros(runner.max_lanes, dtype=np.int64)
        self._owners: Ids = np.zeros(runner.max_lanes, dtype=np.int64)  # index in _walks
        self._all = np.arange(runner.max_lanes)
        self._offsets = np.arange(1, runner.max_steps + 1)[:, None]
        self._earliest_deadline = UNLIMITED
        self.num_rows = 0
        self.num_done = 0  # nodes read, with those an early end has saved
        self.num_steps = 1  # of the last call

    @property
    def num_kept_states(self) -> int:
        """The number of states kept for pending branches."""
        return self._pool.num_kept

    @property
    def num_jobs(self) -> int:
        return len(self._walks)

    @property
    def num_left(self) -> int:
        """The number of nodes that running jobs have yet to read; any thread may ask."""
        return sum(walk.num_left for walk in tuple(self._walks))

    def join(self, job: ScoreJob, now: float) -> None:
        """Starts a job."""
        job.joined = now
        self._earliest_deadline = min(self._earliest_deadline, job.deadline)
        self._walks.append(TrieWalk(job, self._runner, self._pool))

    def leave(self, job: Work) -> None:
        """Drops a job and frees its rows; one that does not run is ignored."""
        index = next((i for i, walk in enumerate(self._walks) if walk.job is job), None)
        if index is None:
            return
        self._compact(np.flatnonzero(self._owners[: self.num_rows] == index))
        walk = self._walks.pop(index)
        self.num_done += walk.num_left
        walk.release()
        owners = self._owners[: self.num_rows]
        owners[owners > index] -= 1

    def step(self, max_steps: int) -> Outbox:
        """Fills the rows and reads up to `max_steps` nodes in each; returns the jobs that have ended."""
        started = time.perf_counter()
        self._fill(np.arange(self.num_rows, self._runner.max_lanes))
        n = self.num_rows
        if n:
            walks = self._walks_of(n)
            num_steps = self.num_steps = self._choose_steps(walks, max_steps)
            stepped = self._read(n, num_steps, walks)
            self.num_done += n * num_steps
            self._stats.add_steps(n, num_steps, stepped, time.perf_counter() - started - stepped)
        outbox: Outbox = [(w.job, w.result()) for w in self._walks if w.done]
        outbox += [(job, job.timed_out()) for job in self._expired(time.monotonic())]
        for job, _ in outbox:
            self.leave(job)
        return outbox

    def fail(self, error: NextcharError) -> Outbox:
        """Ends every job with an error; returns the deliveries."""
        outbox: Outbox = [(w.job, w.job.failed(error)) for w in self._walks]
        for walk in self._walks:
            walk.release()
        self._walks.clear()
        self.num_rows = 0
        return outbox

    def _choose_steps(self, walks: list[tuple[TrieWalk, Ids]], max_steps: int) -> int:
        """Returns as many steps as every row can read before a branch or an end."""
        if max_steps == 1:
            return 1
        shortest = min(int(walk.trie.run[self._nodes[rows]].min()) for walk, rows in walks)
        return fitting_steps(min(shortest, max_steps))

    def _walks_of(self, n: int) -> list[tuple[TrieWalk, Ids]]:
        """Returns each job that has rows, with its rows."""
        owners = self._owners[:n]
        return [
            (walk, self._all[:n] if walk.num_rows == n else np.flatnonzero(owners == index))
            for index, walk in enumerate(self._walks)
            if walk.num_rows
        ]

    def _read(self, n: int, num_steps: int, walks: list[tuple[TrieWalk, Ids]]) -> float:
        """Runs one call of the graph and advances the walks by it; returns the seconds of the call."""
        io, offsets = self._runner.io(n, num_steps), self._offsets[:num_steps]
        for walk, rows in walks:
            io.given[:, rows] = walk.symbols[self._nodes[rows] + offsets]
        started = time.perf_counter()
        self._runner.step(n, num_steps)
        seconds = time.perf_counter() - started
        ended = [walk.advance(rows, self._nodes, io.logprobs[:, rows]) for walk, rows in walks]
        self._fill(ended[0] if len(ended) == 1 else np.sort(np.concatenate(ended)))
        return seconds

    def _fill(self, free: Ids) -> None:
        """Puts pending branches into free rows, and closes the gaps of rows that are left over.

        The job with the least left to read goes first, so that a short job does not wait for a long one.
        """
        if not len(free):
            return
        pending = [(walk.num_left, index) for index, walk in enumerate(self._walks) if walk.pending]
        for _, index in sorted(pending):
            walk = self._walks[index]
            rows = free[: len(walk.pending)]
            if len(rows):
                free = free[len(rows) :]
                self._nodes[rows] = walk.take(rows)
                self._owners[rows] = index
                self.num_rows = max(self.num_rows, int(rows[-1]) + 1)
        self._compact(free[free < self.num_rows])

    def _compact(self, free: Ids) -> None:
        """Moves the last rows into free ones, so that active rows stay dense."""
        if not len(free):
            return
        num_left = self.num_rows - len(free)
        used = np.ones(self.num_rows, dtype=np.bool_)
        used[free] = False
        sources, targets = num_left + np.flatnonzero(used[num_left:]), free[free < num_left]
        if len(targets):
            self._runner.move(sources, targets)
            self._nodes[targets] = self._nodes[sources]
            self._owners[targets] = self._owners[sources]
        self.num_rows = num_left

    def _expired(self, now: float) -> list[ScoreJob]:
        if now < self._earliest_deadline:
            return []
        expired = [walk.job for walk in self._walks if walk.job.deadline <= now]
        left = (walk.job.deadline for walk in self._walks if walk.job.deadline > now)
        self._earliest_deadline = min(left, default=UNLIMITED)
        return expired
