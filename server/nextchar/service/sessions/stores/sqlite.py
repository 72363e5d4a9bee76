"""Stores sessions in one SQLite file: they outlive the process, whatever ends it.

Write-ahead log with `synchronous=NORMAL`: what was written survives a killed process; after a power cut the
last moments may be missing, and the file is whole. All calls run on one thread of the store's own, so that
a slow disk delays only the requests that use it.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.base import LoadedSession, OwnerUsage, SessionRecord
from nextchar.service.sessions.stores.sqlite_file import SqliteFile

T = TypeVar("T")

_COLUMNS = (
    "owner, session_id, model, version, digest, revision, position, created, ttl_seconds, expires_at, sealed"
)


class SqliteStore:
    """Implements `SessionStore` over a file that several processes of one machine may share."""

    durable = True

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Unavailable: the file cannot be opened.
        """
        self._file = SqliteFile(path)
        self._thread = ThreadPoolExecutor(1, "session-store")
        try:
            self._thread.submit(self._file.connection).result()
        except Unavailable:
            self._thread.shutdown()
            raise

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

    async def load(self, owner: str, session_id: str) -> LoadedSession | None:
        query = (
            f"SELECT {_COLUMNS}, (SELECT num_bytes FROM owners WHERE owner=?1) FROM sessions "
            "WHERE owner=?1 AND session_id=?2"
        )
        row = await self._run(lambda db: db.execute(query, (owner, session_id)).fetchone())
        return None if row is None else LoadedSession(SessionRecord(*row[:-1]), row[-1] or 0)

    async def replace(self, record: SessionRecord, *, revision: int) -> bool:
        query = (
            "UPDATE sessions SET version=?, digest=?, revision=?, position=?, ttl_seconds=?, expires_at=?, "
            "sealed=? WHERE owner=? AND session_id=? AND revision=?"
        )
        model = record.version, record.digest
        new = record.revision, record.position, record.ttl_seconds, record.expires_at, record.sealed
        values = (*model, *new, record.owner, record.session_id, revision)
        return await self._run(lambda db: db.execute(query, values).rowcount == 1)

    async def touch(self, owner: str, session_id: str, *, ttl_seconds: float, expires_at: float) -> None:
        query = "UPDATE sessions SET ttl_seconds=?, expires_at=? WHERE owner=? AND session_id=?"
        await self._run(lambda db: db.execute(query, (ttl_seconds, expires_at, owner, session_id)))

    async def delete(self, owner: str, session_id: str) -> bool:
        query = "DELETE FROM sessions WHERE owner=? AND session_id=?"
        return await self._run(lambda db: db.execute(query, (owner, session_id)).rowcount == 1)

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

    async def purge(self, *, before: float) -> int:
        query = "DELETE FROM sessions WHERE expires_at<?"
        return await self._run(lambda db: db.execute(query, (before,)).rowcount)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs some work in one transaction on the store's thread.

        Raises:
            Unavailable: the disk is full, the file locked or damaged.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._file.connection()
        try:
            with connection:
                return work(connection)
        except sqlite3.Error as error:
            raise self._file.failed(error) from error
