"""The engine: one thread that schedules, steps and delivers.

Any thread may `submit` and `cancel`; everything else happens on the engine's own thread. Deliveries of
a step leave together through one call of `deliver`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from nextchar.batch import Batch, Outbox
from nextchar.engine_stats import EngineStats
from nextchar.errors import DeadlineExceeded, InternalError, NextcharError, Unavailable
from nextchar.lane import Lane
from nextchar.runner import StepRunner
from nextchar.scheduler import Scheduler

_LATE = "the request waited longer than its time limit"

logger = logging.getLogger(__name__)


class Engine:
    """Runs the lanes of one model. A context manager: the thread lives inside."""

    def __init__(
        self,
        runner: StepRunner,
        *,
        deliver: Callable[[Outbox], object],
        max_waiting: int,
        reserved: int = 0,
    ) -> None:
        self.stats = EngineStats()
        self._batch = Batch(runner, self.stats)
        self._scheduler = Scheduler(max_lanes=runner.max_lanes, reserved=reserved, max_waiting=max_waiting)
        self._deliver = deliver
        self._changed = threading.Condition()  # guards the scheduler, and wakes an idle engine
        self._cancelled: deque[Lane] = deque()
        self._stopping = False
        self._failure: NextcharError | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after the running step; whoever still waits is told so."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def ready(self) -> bool:
        return self._failure is None and self._thread.is_alive() and not self._stopping

    @property
    def num_waiting(self) -> int:
        return self._scheduler.num_waiting

    @property
    def num_live(self) -> int:
        return len(self._batch.lanes)

    def submit(self, lanes: Sequence[Lane]) -> None:
        """Let lanes run as soon as there are rows, all or none.

        Raises:
            QueueFull: too many wait.
            Unavailable: the engine has failed or stops.
        """
        now = time.monotonic()
        for lane in lanes:
            lane.submitted = now
        with self._changed:
            if self._failure is not None or self._stopping:
                raise Unavailable("the model is not ready: its engine has failed or is stopping")
            self._scheduler.add(lanes)
            self._changed.notify()

    def cancel(self, lanes: Sequence[Lane]) -> None:
        """Nobody waits for these lanes any more: free their rows at the next step. Done ones are fine."""
        self._cancelled.extend(lanes)

    def _run(self) -> None:
        try:
            while self._schedule():
                self._send(self._batch.step())
            self._end(Unavailable("the server is shutting down", code="draining"))
        except Exception:
            logger.exception("the engine failed; its model is not ready any more")
            self._end(InternalError("the model's engine failed; the cause is in the server's log"))

    def _schedule(self) -> bool:
        """Let lanes leave and join; wait while there are none. False: stop."""
        self._drop_cancelled()
        if self._scheduler.num_waiting == 0 and self._batch.lanes:
            return not self._stopping
        with self._changed:
            while not (self._stopping or self._batch.lanes or self._scheduler.num_waiting):
                self._changed.wait()
            if self._stopping:
                return False
            now = time.monotonic()
            late = self._scheduler.expired(now)
            joining = self._scheduler.admit(len(self._batch.lanes), self._batch.num_bulk)
        outbox: Outbox = [(lane, lane.failed(DeadlineExceeded(_LATE))) for lane in late]
        for lane in joining:
            delivery = self._batch.join(lane, now)
            if delivery is not None:
                outbox.append((lane, delivery))
        self._send(outbox)
        return True

    def _drop_cancelled(self) -> None:
        while self._cancelled:
            lane = self._cancelled.popleft()
            if lane.row >= 0:
                self._batch.leave(lane)
            else:
                with self._changed:
                    self._scheduler.remove(lane)

    def _send(self, outbox: Outbox) -> None:
        if outbox:
            self._deliver(outbox)

    def _end(self, error: NextcharError) -> None:
        """Tell everybody who is still here why nothing more comes."""
        with self._changed:
            self._failure = error
            waiting = self._scheduler.drain()
        self._send([*self._batch.fail(error), *((lane, lane.failed(error)) for lane in waiting)])
