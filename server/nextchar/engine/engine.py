"""The engine: one thread that schedules, steps and delivers.

Any thread may `submit` and `cancel`; everything else happens on the engine's own thread. Deliveries of
a call leave together through one call of `deliver`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from nextchar.engine.lane import FOREVER, Lane, Level, Outbox, ScoreJob, Work
from nextchar.engine.lane_batch import LaneBatch
from nextchar.engine.queue_estimate import Rate
from nextchar.engine.scheduler import LONG_CALL_SECONDS, MAX_CALL_SECONDS, Scheduler, Turns
from nextchar.engine.score_batch import MAX_JOBS, ScoreBatch
from nextchar.errors import SOONEST_SECONDS, InternalError, NextcharError, Unavailable
from nextchar.model.graph import ModelGraph
from nextchar.model.step_runner import StepRunner
from nextchar.telemetry.engine_stats import EngineStats

_PAUSE_SECONDS = 0.01  # between two calls, that still counts as work; longer, and there was nothing to do
_INTERACTIVE_SECONDS = 1.0  # after a live request, in which another is expected
MAX_STEPS = 16  # characters a row in one call of the graph

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Rows for completions, rows more for live requests, rows for jobs, strings that may wait; and K.

    `max_steps` 1 turns calls of several steps off; it changes no byte of any answer.
    """

    max_lanes: int
    reserved_lanes: int
    max_bulk_lanes: int
    max_waiting: int
    max_wait_seconds: float = FOREVER
    max_steps: int = MAX_STEPS


class Engine:
    """Runs work on one model. A context manager: the thread lives inside.

    `load_seconds` is what loading the model took: nobody need come again sooner after it has failed.
    """

    def __init__(
        self,
        graph: ModelGraph,
        options: EngineOptions,
        *,
        deliver: Callable[[Outbox], object],
        load_seconds: float = 0.0,
    ) -> None:
        self.stats = EngineStats()
        self._options, self._load_seconds = options, load_seconds
        max_lanes = options.max_lanes + options.reserved_lanes
        self._batch = LaneBatch(StepRunner(graph, max_lanes, options.max_steps), self.stats)
        self._bulk = ScoreBatch(StepRunner(graph, options.max_bulk_lanes, options.max_steps), self.stats)
        self._scheduler = Scheduler(
            max_lanes=max_lanes,
            max_sampling=options.max_lanes,
            max_jobs=MAX_JOBS,
            max_waiting=options.max_waiting,
            max_wait_seconds=options.max_wait_seconds,
        )
        self._turns = Turns(options.max_steps)
        self._deliver = deliver
        self._done: tuple[int, ...] = (0,) * len(Level)  # steps, as last measured
        # Of one row's steps; of bulk work, of all rows', since a job's rows come and go.
        self._paces = {level: Rate() for level in Level}
        self._measured = 0.0  # when
        self._interactive_until = 0.0  # perf_counter: till then live requests are expected
        self._changed = threading.Condition()  # guards the scheduler, and wakes an idle engine
        self._cancelled: deque[Work] = deque()
        self._stopping = False
        self._failure: NextcharError | None = None
        self._waiting_since: dict[Level, float] = {}  # by level that has rows, perf_counter
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after the running call; whoever still waits is told so."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def ready(self) -> bool:
        return self._failure is None and self._thread.is_alive() and not self._stopping

    @property
    def num_waiting(self) -> int:
        """Strings that wait."""
        return self._scheduler.num_waiting

    @property
    def num_running(self) -> int:
        """Lanes and jobs that run."""
        return len(self._batch.lanes) + self._bulk.num_jobs

    @property
    def load(self) -> int:
        """How much there is to do: lanes and jobs that run, strings that wait."""
        return self.num_running + self.num_waiting

    def seconds_left(self) -> float:
        """How long all that runs and waits takes, if nothing ends early and nobody comes; 0 if unknown."""
        with self._changed:
            waits = [self._scheduler.last_begins_seconds(level) for level in Level]
            waiting = [self._scheduler.longest_waiting(level) for level in Level]
        interactive, sampling = (
            max(self._batch.longest(level), waiting[level]) for level in (Level.INTERACTIVE, Level.SAMPLING)
        )
        to_do = (interactive, sampling, self._bulk.num_left)
        paces = [self._paces[level].per_second for level in Level]
        return max(
            wait + (num_steps / pace if pace > 0 else 0.0)
            for wait, num_steps, pace in zip(waits, to_do, paces, strict=True)
        )

    def submit(self, works: Sequence[Work]) -> None:
        """Let work run as soon as there is room, all or none.

        Raises:
            QueueFull: too many wait.
            Unavailable: the engine has failed or stops.
        """
        now = time.monotonic()
        for work in works:
            work.submitted = now
        with self._changed:
            if self._failure is not None or self._stopping:
                raise Unavailable(
                    "the model is not ready: its engine has failed or is stopping",
                    retry_after_seconds=max(SOONEST_SECONDS, self._load_seconds),
                )
            self._scheduler.add(works, self._free())
            self._changed.notify()

    def _free(self) -> tuple[int, int, int]:
        """Rows, rows for completions, and places for jobs that nobody has."""
        num_lanes, num_interactive = len(self._batch.lanes), self._batch.num_interactive
        rows = self._options.max_lanes + self._options.reserved_lanes - num_lanes
        return (
            rows,
            min(rows, self._options.max_lanes - num_lanes + num_interactive),
            MAX_JOBS - self._bulk.num_jobs,
        )

    def cancel(self, works: Sequence[Work]) -> None:
        """Nobody waits for this work any more: free its rows before the next call. Done work is fine."""
        self._cancelled.extend(works)

    def _run(self) -> None:
        try:
            while self._schedule():
                self._step()
            self._end(Unavailable("the server is shutting down", code="draining"))
        except Exception:
            logger.exception("the engine failed; its model is not ready any more")
            self._end(InternalError("the model's engine failed; the cause is in the server's log"))

    def _step(self) -> None:
        """One call of the graph, for the level whose turn it is, and its deliveries."""
        active = self._active()
        if not active:
            return
        level = self._turns.choose(active)
        started = time.perf_counter()
        max_steps = self._turns.max_steps(level, self._call_seconds(level, active, started))
        if level is Level.BULK:
            outbox, num_steps = self._bulk.step(max_steps), self._bulk.num_steps
        else:
            outbox, num_steps = self._batch.step(level, max_steps), self._batch.num_steps
        ended = time.perf_counter()
        self._turns.record(level, ended - started, num_steps)
        self._count_waits(level, active, started, ended)
        self._measure(level, active, ended - max(self._measured, started - _PAUSE_SECONDS))
        self._measured = ended
        self._send(outbox)

    def _call_seconds(self, level: Level, active: list[Level], now: float) -> float:
        """What the next call is kept to: of completions, longer while nobody asks for next characters."""
        if Level.INTERACTIVE in active:
            self._interactive_until = now + _INTERACTIVE_SECONDS
        if level is not Level.SAMPLING or now < self._interactive_until:
            return MAX_CALL_SECONDS[level]
        return LONG_CALL_SECONDS

    def _measure(self, stepped: Level, active: list[Level], seconds: float) -> None:
        """Tell the scheduler how fast each level that has work gets on: what lines move by."""
        done = (*self._batch.num_done, self._bulk.num_done)
        for level in active:
            num_done = done[level] - self._done[level]
            self._scheduler.worked(level, num_done, seconds)
            if level is not Level.BULK:
                num_done = self._batch.num_steps if _moves(stepped, level) else 0
            self._paces[level].worked(num_done, seconds)
        self._done = done

    def _count_waits(self, level: Level, active: list[Level], started: float, ended: float) -> None:
        """How long the levels of this call waited for it: since their last one, or since they have rows."""
        since = {other: self._waiting_since.get(other, started) for other in active}
        for other in active:
            if _moves(level, other):
                self.stats.wait_seconds[other].add(started - since[other])
                since[other] = ended
        self._waiting_since = since

    def _active(self) -> list[Level]:
        """The levels that have rows or jobs, in order."""
        num_interactive = self._batch.num_interactive
        has_work = (num_interactive > 0, len(self._batch.lanes) > num_interactive, self._bulk.num_jobs > 0)
        return [level for level, has in zip(Level, has_work, strict=True) if has]

    def _schedule(self) -> bool:
        """Let work leave and join; wait while there is none. False: stop."""
        self._drop_cancelled()
        if self._scheduler.num_waiting == 0 and self.num_running:
            return not self._stopping
        with self._changed:
            while not (self._stopping or self.num_running or self._scheduler.num_waiting):
                self._changed.wait()
            if self._stopping:
                return False
            now = time.monotonic()
            late = self._scheduler.expired(now)
            num_interactive = self._batch.num_interactive
            lanes = self._scheduler.admit_lanes(num_interactive, len(self._batch.lanes) - num_interactive)
            jobs = self._scheduler.admit_jobs(self._bulk.num_jobs)
        self._send([(work, work.failed(error)) for work, error in late])
        self._join(lanes, jobs, now)
        return True

    def _join(self, lanes: list[Lane], jobs: list[ScoreJob], now: float) -> None:
        done = [(lane, self._batch.join(lane, now)) for lane in lanes]
        for job in jobs:
            self._bulk.join(job, now)
        self._send([(lane, delivery) for lane, delivery in done if delivery is not None])

    def _drop_cancelled(self) -> None:
        while self._cancelled:
            work = self._cancelled.popleft()
            if isinstance(work, Lane) and work.row >= 0:
                self._batch.leave(work)
                continue
            with self._changed:
                waited = self._scheduler.remove(work)
            if not waited:
                self._bulk.leave(work)

    def _send(self, outbox: Outbox) -> None:
        if outbox:
            self._deliver(outbox)

    def _end(self, error: NextcharError) -> None:
        """Tell everybody who is still here why nothing more comes."""
        with self._changed:
            self._failure = error
            waiting = self._scheduler.drain()
        failed = [*self._batch.fail(error), *self._bulk.fail(error)]
        self._send([*failed, *((work, work.failed(error)) for work in waiting)])


def _moves(level: Level, other: Level) -> bool:
    """Whether a call for a level advances the rows of another: one for completions does the live ones too."""
    return other is level or (other is Level.INTERACTIVE and level is Level.SAMPLING)
