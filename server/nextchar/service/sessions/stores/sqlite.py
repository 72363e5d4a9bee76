"""Stores sessions in one SQLite file: they outlive the process, whatever ends it.

Write-ahead log with `synchronous=NORMAL`: what was written survives a killed process; after a power cut the
last moments may be missing, and the file is whole. All calls run on one thread of the store's own, so that
a slow disk delays only the requests that use it.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from nextchar.errors import OutcomeUnknown, Unavailable
from nextchar.service.sessions.stores.base import (
    UNLIMITED_BYTES,
    OwnerUsage,
    QuotaExceeded,
    SessionRecord,
    Tidied,
)
from nextchar.service.sessions.stores.sqlite_file import SqliteFile, is_full, is_passing
from nextchar.service.sessions.stores.steady_clock import Moment, SteadyClock

T = TypeVar("T")
_BUSY_SECONDS = 2.0  # for which a call waits for other processes, and for the calls before it

_COLUMNS = (
    "owner, session_id, model, version, digest, revision, position, created, ttl_seconds, expires_at, sealed"
)
# The session that a write replaces, and the bytes of its owner's states.
_NAMED = (
    "owner=:owner AND session_id=:session_id AND revision=:old AND created=:created "
    "AND ttl_seconds=:ttl_seconds"
)
_OWNER_BYTES = "ifnull((SELECT num_bytes FROM owners WHERE owner=:owner), 0)"
_REPLACE = (
    "UPDATE sessions SET version=:version, digest=:digest, revision=:revision, position=:position, "
    f"expires_at=:expires_at, sealed=:sealed WHERE {_NAMED} AND "
    f"(:size <= length(sealed) OR {_OWNER_BYTES} - length(sealed) + :size <= :max_bytes)"
)


class SqliteStore:
    """Implements `SessionStore` over a file that several processes of one machine may share."""

    durable, local = True, True

    def __init__(self, path: Path, *, before_open: Callable[[], None] = lambda: None) -> None:
        """Opens the file; `before_open` is called each time that it is made or opened.

        Raises:
            Unavailable: the file cannot be opened.
        """
        self._file = SqliteFile(path, before_open=before_open)
        self._clock: SteadyClock | None = None
        self._thread = ThreadPoolExecutor(1, "session-store")
        try:
            self._thread.submit(self._file.connection, _BUSY_SECONDS).result()
        except Unavailable:
            self._thread.shutdown()
            raise

    async def time(self) -> float:
        return (await self._steady_clock()).now()

    async def _steady_clock(self) -> SteadyClock:
        """Returns the clock, which goes on from where the file says that it was."""
        if self._clock is None:
            query = "SELECT steady, machine, since_boot, boot FROM clock"
            row = await self._run(lambda db: db.execute(query).fetchone())
            self._clock = SteadyClock(None if row is None else Moment(*row))
        return self._clock

    async def check_key(self, fingerprint: str) -> bool:
        def run(db: sqlite3.Connection) -> bool:
            db.execute("INSERT OR IGNORE INTO marks VALUES ('state_key', ?)", (fingerprint,))
            (kept,) = db.execute("SELECT value FROM marks WHERE name='state_key'").fetchone()
            return bool(kept == fingerprint)

        return await self._run(run)

    async def create(self, record: SessionRecord, *, now: float) -> bool:
        def run(db: sqlite3.Connection) -> bool:
            key = record.owner, record.session_id
            db.execute("DELETE FROM sessions WHERE owner=? AND session_id=? AND expires_at<=?", (*key, now))
            values = ",".join("?" * len(astuple(record)))
            done = db.execute(
                f"INSERT OR IGNORE INTO sessions ({_COLUMNS}) VALUES ({values})", astuple(record)
            )
            return done.rowcount == 1

        return await self._run(run)

    async def load(self, owner: str, session_id: str) -> SessionRecord | None:
        query = f"SELECT {_COLUMNS} FROM sessions WHERE owner=? AND session_id=?"
        row = await self._run(lambda db: db.execute(query, (owner, session_id)).fetchone())
        return None if row is None else SessionRecord(*row)

    async def replace(
        self, record: SessionRecord, *, revision: int, max_bytes: int = UNLIMITED_BYTES
    ) -> bool:
        values = {name: getattr(record, name) for name in _COLUMNS.split(", ")}
        values |= {"old": revision, "size": len(record.sealed), "max_bytes": max_bytes}

        def run(db: sqlite3.Connection) -> bool:
            if db.execute(_REPLACE, values).rowcount == 1:
                return True
            refused = db.execute(f"SELECT {_OWNER_BYTES} FROM sessions WHERE {_NAMED}", values).fetchone()
            if refused is not None:
                raise QuotaExceeded(refused[0])
            return False

        return await self._run(run)

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        query = "UPDATE sessions SET ttl_seconds=?, expires_at=? WHERE owner=? AND session_id=?"
        await self._run(lambda db: db.execute(query, (ttl_seconds, expires_at, owner, session_id)))

    async def delete(self, owner: str, session_id: str) -> bool:
        query = "DELETE FROM sessions WHERE owner=? AND session_id=?"
        return await self._run(lambda db: db.execute(query, (owner, session_id)).rowcount == 1, frees=True)

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[SessionRecord]:
        columns = _COLUMNS.replace("sealed", "x''")
        query = (
            f"SELECT {columns} FROM sessions WHERE owner=? AND session_id>? AND expires_at>? "
            "ORDER BY session_id LIMIT ?"
        )
        rows = await self._run(lambda db: db.execute(query, (owner, after, now, limit)).fetchall())
        return [SessionRecord(*row) for row in rows]

    async def count(self, owner: str | None, *, now: float) -> int:
        query = "SELECT count(*) FROM sessions WHERE expires_at>? AND (? IS NULL OR owner=?)"
        row = await self._run(lambda db: db.execute(query, (now, owner, owner)).fetchone())
        return int(row[0])

    async def kept(self, owner: str) -> OwnerUsage:
        query = "SELECT num_kept, num_bytes FROM owners WHERE owner=?"
        row = await self._run(lambda db: db.execute(query, (owner,)).fetchone())
        return OwnerUsage(*row) if row is not None else OwnerUsage(0, 0)

    async def next_expiry(self, owner: str, *, after: float) -> float | None:
        query = "SELECT expires_at FROM sessions WHERE owner=? AND expires_at>? ORDER BY expires_at LIMIT 1"
        row = await self._run(lambda db: db.execute(query, (owner, after)).fetchone())
        return None if row is None else float(row[0])

    async def count_of(self, model: str, version: str, *, now: float) -> int:
        query = "SELECT count(*) FROM sessions WHERE model=? AND version=? AND expires_at>?"
        row = await self._run(lambda db: db.execute(query, (model, version, now)).fetchone())
        return int(row[0])

    async def was_evicted(self, owner: str, session_id: str, *, now: float) -> bool:  # noqa: ARG002
        return False  # a full disk refuses writes and evicts nothing

    async def tidy(self, *, now: float, before: float) -> Tidied:
        def run(db: sqlite3.Connection) -> int:
            mark = "SELECT value FROM marks WHERE name='counted_until'"
            since = f"ifnull(CAST(({mark}) AS REAL), 0)"
            count = (
                f"SELECT count(*) FROM sessions WHERE (expires_at<=? OR expires_at<?) AND expires_at>{since}"
            )
            (num_expired,) = db.execute(count, (now, before)).fetchone()
            db.execute("DELETE FROM sessions WHERE expires_at<?", (before,))
            db.execute("INSERT OR REPLACE INTO marks VALUES ('counted_until', ?)", (repr(now),))
            return int(num_expired)

        num_expired = await self._run(run, frees=True)
        moment = astuple((await self._steady_clock()).moment())
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO clock VALUES (1,?,?,?,?)", moment))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.keep_reserve)
        return Tidied(num_expired, 0)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, frees: bool = False) -> T:
        """Runs some work in one transaction on the store's thread; on a full disk too, if it `frees` room.

        Raises:
            Unavailable: the disk is full, the file locked or damaged; nothing was done.
            OutcomeUnknown: the transaction may have been stored.
        """
        latest = time.monotonic() + _BUSY_SECONDS
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._transaction, work, latest, frees)

    def _transaction(self, work: Callable[[sqlite3.Connection], T], latest: float, frees: bool) -> T:
        connection = self._file.connection(latest - time.monotonic())
        try:
            try:
                return self._stored(connection, work)
            except sqlite3.Error as error:
                if not (frees and is_full(error)):
                    raise
                self._file.make_room(connection)
                return self._stored(connection, work)
        except sqlite3.Error as error:
            raise self._file.failed(error) from error

    def _stored(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs and commits some work."""
        before = connection.total_changes
        try:
            answer = work(connection)
        except BaseException:
            connection.rollback()
            raise
        try:
            connection.commit()
        except sqlite3.Error as error:
            connection.rollback()
            if is_passing(error):
                raise
            self._file.failed(error)
            raise OutcomeUnknown(f"the session store did not confirm the change: {error}") from error
        if connection.total_changes != before and not self._file.is_still_there():
            raise OutcomeUnknown("the session store's file was removed while a change was written to it")
        return answer
