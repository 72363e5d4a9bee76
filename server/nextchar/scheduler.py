"""Which waiting lanes join the batch next. Pure: no thread, no clock, no I/O; time is an argument."""

from collections.abc import Iterable, Iterator

from nextchar.errors import QueueFull
from nextchar.lane import FOREVER, Lane, Priority


class Scheduler:
    """A bounded waiting line: interactive lanes before bulk lanes, each in order of arrival.

    `max_lanes` rows exist; bulk lanes leave `reserved` of them to interactive ones, so a live request
    never waits for a bulk string to end. At most `max_waiting` lanes wait.
    """

    def __init__(self, *, max_lanes: int, reserved: int, max_waiting: int) -> None:
        assert 0 <= reserved < max_lanes
        self._max_bulk = max_lanes - reserved
        self._max_lanes = max_lanes
        self._max_waiting = max_waiting
        # Dictionaries as ordered sets: a lane that leaves early is dropped without a search.
        self._waiting: dict[Priority, dict[Lane, None]] = {p: {} for p in Priority}
        self._earliest_deadline = FOREVER

    @property
    def num_waiting(self) -> int:
        return sum(len(lanes) for lanes in self._waiting.values())

    def add(self, lanes: Iterable[Lane]) -> None:
        """Let lanes wait, all or none.

        Raises:
            QueueFull: they would be more than may wait.
        """
        lanes = list(lanes)
        if self.num_waiting + len(lanes) > self._max_waiting:
            raise QueueFull(
                f"the queue is full: {self.num_waiting} strings wait, this request has {len(lanes)}, "
                f"the limit is {self._max_waiting}; try again later"
            )
        for lane in lanes:
            self._waiting[lane.priority][lane] = None
            self._earliest_deadline = min(self._earliest_deadline, lane.deadline)

    def remove(self, lane: Lane) -> bool:
        """Forget a waiting lane; whether it was waiting."""
        return self._waiting[lane.priority].pop(lane, lane) is None

    def expired(self, now: float) -> list[Lane]:
        """Take out the waiting lanes whose deadline has passed."""
        if now < self._earliest_deadline:
            return []
        late = [lane for lane in self._all() if lane.deadline <= now]
        for lane in late:
            self.remove(lane)
        self._earliest_deadline = min((lane.deadline for lane in self._all()), default=FOREVER)
        return late

    def admit(self, num_live: int, num_live_bulk: int) -> list[Lane]:
        """Take out the lanes that join now, given how many rows are in use."""
        free = self._max_lanes - num_live
        admitted = self._take(Priority.INTERACTIVE, free)
        free_bulk = min(free - len(admitted), self._max_bulk - num_live_bulk)
        return admitted + self._take(Priority.BULK, free_bulk)

    def drain(self) -> list[Lane]:
        """Take out everybody."""
        lanes = list(self._all())
        for waiting in self._waiting.values():
            waiting.clear()
        return lanes

    def _take(self, priority: Priority, count: int) -> list[Lane]:
        waiting = self._waiting[priority]
        taken = [lane for lane, _ in zip(waiting, range(count), strict=False)]
        for lane in taken:
            del waiting[lane]
        return taken

    def _all(self) -> Iterator[Lane]:
        for waiting in self._waiting.values():
            yield from waiting
