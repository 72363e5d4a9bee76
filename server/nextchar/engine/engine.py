"""Runs the work on one model: one thread that schedules, runs a call of the graph and delivers, in a loop.

`submit` and `cancel` may be called from any thread; everything else happens on the engine's own thread. All
deliveries of a call leave together, in one call of `deliver`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from nextchar.engine.adaptive.hot_tables import HotUse
from nextchar.engine.estimates.queue_estimate import Progress
from nextchar.engine.lane import Lane, ScoreJob
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.options import EngineOptions
from nextchar.engine.score_batch import MAX_JOBS, ScoreBatch
from nextchar.engine.turns.call_planner import CallPlanner
from nextchar.engine.turns.scheduler import Scheduler
from nextchar.engine.work import Level, Outbox, Work
from nextchar.errors import SOONEST_SECONDS, InternalError, NextcharError, Unavailable
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

logger = logging.getLogger(__name__)


class Engine:
    """Runs work on one model. A context manager: the thread lives inside.

    `load_seconds` is how long loading the model took: the soonest that a retry is worth after a failure.
    `number` is its own among those of its model.
    """

    def __init__(
        self,
        graph: ModelGraph,
        options: EngineOptions,
        *,
        deliver: Callable[[Outbox], object],
        load_seconds: float = 0.0,
        number: int = 0,
    ) -> None:
        self.stats = EngineStats()
        self._options, self._load_seconds = options, load_seconds
        self._share, self._is_spare = options.share, options.share.is_spare(number)
        max_lanes = options.max_lanes + options.reserved_lanes
        self._lane_batch = LaneBatch(
            StepRunner(graph, max_lanes, options.max_steps), self.stats, options.max_table_bytes
        )
        self._score_batch = ScoreBatch(
            StepRunner(graph, options.max_bulk_lanes, options.max_steps), self.stats
        )
        self._scheduler = Scheduler(
            max_lanes=max_lanes,
            max_sampling=options.max_lanes,
            max_jobs=MAX_JOBS,
            max_waiting=options.max_waiting,
            max_wait_seconds=options.max_wait_seconds,
        )
        self._planner = CallPlanner(options.max_steps)
        self._progress = Progress()
        self._deliver = deliver
        self._changed = threading.Condition()  # guards the scheduler, and wakes an idle engine
        self._cancelled: deque[Work] = deque()
        self._stopping = False
        self._failure: NextcharError | None = None
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops after the running call; what still waits or runs ends with an error."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def ready(self) -> bool:
        return self._failure is None and self._thread.is_alive() and not self._stopping

    @property
    def num_waiting(self) -> int:
        """The number of strings that wait for a row."""
        return self._scheduler.num_waiting

    @property
    def num_running(self) -> int:
        """The number of lanes and jobs that run."""
        return len(self._lane_batch.lanes) + self._score_batch.num_jobs

    @property
    def num_adaptive(self) -> int:
        """The number of running lanes that are adaptive."""
        return self._lane_batch.num_adaptive

    @property
    def table_bytes(self) -> int:
        """The bytes of the tables of running adaptive lanes."""
        return self._lane_batch.table_bytes

    @property
    def hot_tables(self) -> HotUse:
        """The use of the tables that are kept of adaptive lanes that have ended."""
        return self._lane_batch.hot_tables

    @property
    def load(self) -> int:
        """The number of lanes and jobs that run and strings that wait."""
        return self.num_running + self.num_waiting

    @property
    def num_live(self) -> int:
        """The number of interactive requests that run and wait."""
        return self._lane_batch.num_interactive + self._scheduler.num_strings(Level.INTERACTIVE)

    def seconds_left(self) -> float:
        """Returns how long all that runs and waits takes if nothing ends early or joins; 0 if unknown."""
        with self._changed:
            waits = [self._scheduler.last_begins_seconds(level) for level in Level]
            waiting = [self._scheduler.longest_waiting(level) for level in Level]
        interactive, sampling = (
            max(self._lane_batch.longest(level), waiting[level])
            for level in (Level.INTERACTIVE, Level.SAMPLING)
        )
        to_do = (interactive, sampling, self._score_batch.num_left)
        return max(
            wait + self._progress.seconds(level, num_steps)
            for level, wait, num_steps in zip(Level, waits, to_do, strict=True)
        )

    def submit(self, works: Sequence[Work]) -> None:
        """Queues work to run as soon as there is room, all or none.

        Raises:
            QueueFull: too many strings wait.
            Unavailable: the engine has failed or is stopping.
        """
        now = time.monotonic()
        for work in works:
            work.submitted = now
        with self._changed:
            if self._failure is not None or self._stopping:
                raise Unavailable(
                    "the model is not ready: its engine has failed or is stopping; try again later",
                    retry_after_seconds=max(SOONEST_SECONDS, self._load_seconds),
                )
            self._scheduler.add(works, self._num_free())
            self._changed.notify()

    def _num_free(self) -> tuple[int, int, int]:
        """Returns how many rows are free for interactive requests, for completions, and places for jobs."""
        num_lanes, num_interactive = len(self._lane_batch.lanes), self._lane_batch.num_interactive
        rows = self._options.max_lanes + self._options.reserved_lanes - num_lanes
        return (
            rows,
            min(rows, self._options.max_lanes - num_lanes + num_interactive),
            MAX_JOBS - self._score_batch.num_jobs,
        )

    def cancel(self, works: Sequence[Work]) -> None:
        """Ends work without a delivery and frees its rows before the next call. Finished work is ignored."""
        self._cancelled.extend(works)

    def _loop(self) -> None:
        try:
            while not self._stopping:
                self._step()
            self._end(Unavailable("the server is shutting down; try another replica", code="draining"))
        except Exception:
            logger.exception("the engine failed; its model is not ready any more")
            self._end(InternalError("the model's engine failed; the cause is in the server's log"))

    def _step(self) -> None:
        active = self._schedule()
        if active:
            level, seconds, outbox = self._run(active)
            self._send(outbox)
            self._rest(level, seconds)

    def _schedule(self) -> list[Level]:
        """Lets work leave and join, and waits while there is none; returns the levels that have work."""
        self._drop_cancelled()
        if self._scheduler.num_waiting == 0 and self.num_running:
            return self._active()
        if not self.num_running:
            self._progress.rest()
        with self._changed:
            while not (self._stopping or self.num_running or self._scheduler.num_waiting):
                self._changed.wait()
            if self._stopping:
                return []
            now = time.monotonic()
            late = self._scheduler.expired(now)
            num_interactive = self._lane_batch.num_interactive
            num_sampling = len(self._lane_batch.lanes) - num_interactive
            lanes = self._scheduler.admit_lanes(num_interactive, num_sampling, self._lane_batch.reserve)
            jobs = self._scheduler.admit_jobs(self._score_batch.num_jobs)
        self._send([(work, work.failed(error)) for work, error in late])
        self._join(lanes, jobs, now)
        return self._active()

    def _join(self, lanes: list[Lane], jobs: list[ScoreJob], now: float) -> None:
        done = [(lane, self._lane_batch.join(lane, now)) for lane in lanes]
        for job in jobs:
            self._score_batch.join(job, now)
        self._send([(lane, delivery) for lane, delivery in done if delivery is not None])

    def _drop_cancelled(self) -> None:
        while self._cancelled:
            work = self._cancelled.popleft()
            if isinstance(work, Lane) and work.row >= 0:
                self._lane_batch.leave(work)
                continue
            with self._changed:
                was_waiting = self._scheduler.remove(work)
            if not was_waiting:
                self._score_batch.leave(work)

    def _active(self) -> list[Level]:
        """Returns the levels that have rows or jobs, in order."""
        num_lanes, num_interactive = len(self._lane_batch.lanes), self._lane_batch.num_interactive
        has_work = (num_interactive > 0, num_lanes > num_interactive, self._score_batch.num_jobs > 0)
        return [level for level, has in zip(Level, has_work, strict=True) if has]

    def _run(self, active: list[Level]) -> tuple[Level, float, Outbox]:
        """Runs one call of the graph; returns whose turn it was, its seconds and what there is to deliver."""
        started = time.perf_counter()
        if Level.INTERACTIVE in active:
            self._share.take(started)
        level, max_steps = self._planner.plan(active, self._share.seconds_since_live(started))
        if level is Level.BULK:
            outbox, num_steps = self._score_batch.step(max_steps), self._score_batch.num_steps
        else:
            outbox, num_steps = self._lane_batch.step(level, max_steps), self._lane_batch.num_steps
        ended = time.perf_counter()
        self._record(level, active, num_steps, started, ended)
        return level, ended - started, outbox

    def _rest(self, level: Level, call_seconds: float) -> None:
        """Makes way after a call for live requests of other engines, and for the event loop."""
        now = time.perf_counter()
        if self._share.is_limited and (owed := self._share.owed_seconds(now, time.process_time())) > 0:
            time.sleep(owed)
        if not self._is_spare or level is Level.INTERACTIVE or self._is_live():
            return
        if (seconds := self._share.makes_way_seconds(call_seconds, now)) > 0:
            with self._changed:
                self._changed.wait_for(self._is_live, seconds)

    def _is_live(self) -> bool:
        """Returns whether this engine has a live request itself, or is to stop."""
        return self._stopping or self.num_live > 0

    def _record(
        self, level: Level, active: list[Level], num_steps: int, started: float, ended: float
    ) -> None:
        """Records a call for the planner, the statistics and the estimates of the queues."""
        self._planner.record(level, ended - started, num_steps)
        for other, seconds in self._progress.waits(level, active, started, ended):
            self.stats.wait_seconds[other].add(seconds)
        num_done = (*self._lane_batch.num_done, self._score_batch.num_done)
        seconds, num_new = self._progress.record(level, active, num_done, num_steps, started, ended)
        for other, num_steps_done in zip(active, num_new, strict=True):
            self._scheduler.record(other, num_steps_done, seconds)

    def _send(self, outbox: Outbox) -> None:
        if outbox:
            self._deliver(outbox)

    def _end(self, error: NextcharError) -> None:
        """Ends all work that runs or waits with an error, and cancelled work without one."""
        with self._changed:
            self._failure = error
            waiting = self._scheduler.drain()
        failed = [*self._lane_batch.fail(error), *self._score_batch.fail(error)]
        failed += [(work, work.failed(error)) for work in waiting]
        cancelled = {id(work) for work in self._cancelled}
        self._send([(work, delivery) for work, delivery in failed if id(work) not in cancelled])
