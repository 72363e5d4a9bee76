"""Keeps what was sent to each session and what the answers said; runs where only the standard library is."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

_LETTERS = "abcdefghijklmnopqrstuvwxyz "
_MAX_PIECE = 8  # characters of one feed
_BUSY_SECONDS = 0.25
_PATIENCE_SECONDS = 60  # after the last fault; whoever gets no definite answer within it has failed


class Refused(Exception):
    """The call was not done, says its answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unknown(Refused):
    """The call may have been done."""


class Gone(Refused):
    """There is no such session any more."""


@dataclass
class SessionLog:
    """What one session must have read, if it lives; `told` is the code of the error that said it is lost."""

    client: str
    session_id: str
    text: str = ""
    revision: int | None = None  # None: its client also moves it by other calls
    told: str | None = None


@dataclass
class Ledger:
    """The sessions of some clients, and how many calls ended how."""

    sessions: list[SessionLog] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def count(self, client: str, what: str, number: int = 1) -> None:
        self.counts[f"{client} {what}"] += number

    def add(self, other: "Ledger") -> None:
        self.sessions += other.sessions
        self.counts += other.counts

    def dumped(self) -> str:
        return json.dumps({"sessions": [asdict(one) for one in self.sessions], "counts": self.counts})

    @classmethod
    def loaded(cls, text: str) -> "Ledger":
        found = json.loads(text)
        return cls([SessionLog(**one) for one in found["sessions"]], Counter(found["counts"]))


@dataclass(frozen=True)
class Plan:
    """What the sessions of one kind of client are fed, and when: a function of the seed."""

    client: str
    seed: int
    num_sessions: int
    num_feeds: int  # of each session
    seconds: float

    def pieces(self, session: int) -> Iterator[tuple[float, str]]:
        """Yields the second of each feed of a session, and its text."""
        draw = self.random(session)
        for number in range(self.num_feeds):
            at = (number + draw.random()) * self.seconds / self.num_feeds
            yield at, "".join(draw.choices(_LETTERS, k=draw.randint(1, _MAX_PIECE)))

    def random(self, session: int) -> random.Random:
        return random.Random(f"{self.seed} {self.client} {session}")


class Door(Protocol):
    """One session as a kind of client calls it; every call raises Refused, Unknown or Gone."""

    async def begin(self) -> str:
        """Creates a session and returns its id; its revision is 1."""

    async def feed(self, piece: str, revision: int, *, again: bool) -> int:
        """Feeds a session that is at a revision; returns the new one. `again`: it may be done already."""

    async def look(self) -> int:
        """Returns the revision of the session."""


async def feed_all(plan: Plan, doors: Sequence[Door], ledger: Ledger) -> None:
    """Feeds the sessions of a plan, each call after the one before has a definite outcome."""
    started = time.monotonic()

    async def one(number: int) -> None:
        follower = _Follower(plan.client, doors[number], ledger, started + plan.seconds)
        for at, piece in plan.pieces(number):
            await asyncio.sleep(max(0.0, started + at - time.monotonic()))
            await follower.feed(piece)

    await asyncio.gather(*(one(number) for number in range(plan.num_sessions)))


class _Follower:
    """Feeds one session after the other through a door, and settles every outcome that is unknown."""

    def __init__(self, client: str, door: Door, ledger: Ledger, ends: float) -> None:
        self._client, self._door, self._ledger = client, door, ledger
        self._late = ends + _PATIENCE_SECONDS
        self._log: SessionLog | None = None

    async def feed(self, piece: str) -> None:
        """Feeds a piece until it is known to be read, or its session lost."""
        log, again = self._log or await self._begin(), False
        while True:
            assert log.revision is not None
            self._count("calls")
            try:
                revision = await self._door.feed(piece, log.revision, again=again)
            except Gone as error:
                self._lost(log, error)
                return
            except Unknown as error:
                self._count(error.code)
                self._count("in doubt")
                found, again = await self._look(log), True
                if found is None:
                    self._count("lost meanwhile")
                    return
                revision = found
                self._count("done" if revision > log.revision else "not done")
            except Refused as error:
                self._count(error.code)
                revision = log.revision
            if revision > log.revision:
                log.text, log.revision = log.text + piece, log.revision + 1
                return
            await self._pause()

    async def _begin(self) -> SessionLog:
        while True:
            self._count("calls")
            try:
                self._log = SessionLog(self._client, await self._door.begin(), revision=1)
            except Refused as error:
                self._count(error.code)
                await self._pause()
            else:
                self._ledger.sessions.append(self._log)
                return self._log

    async def _look(self, log: SessionLog) -> int | None:
        """Returns where the session is; None if it is lost."""
        while True:
            try:
                return await self._door.look()
            except Gone as error:
                self._lost(log, error)
                return None
            except Refused:
                await self._pause()

    def _lost(self, log: SessionLog, error: Gone) -> None:
        log.told, self._log = error.code, None
        self._count(error.code)

    async def _pause(self) -> None:
        assert time.monotonic() < self._late, (
            f"{self._client}: no definite answer since the faults have ended"
        )
        await asyncio.sleep(_BUSY_SECONDS)

    def _count(self, what: str) -> None:
        self._ledger.count(self._client, what)
