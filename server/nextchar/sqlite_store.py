"""Sessions in one SQLite file: they outlive the process, whatever ends it.

Write-ahead log with `synchronous=NORMAL`: what was written survives a killed process; after a power cut the
last moments may be missing, and the file is whole. All calls run on one thread of the store's own, so that
a slow disk holds up nobody but those who wait for it.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path
from typing import TypeVar

from nextchar.errors import Unavailable
from nextchar.session_store import Record

T = TypeVar("T")

_BUSY_SECONDS = 2.0
_COLUMNS = (
    "owner, session_id, model, version, digest, revision, position, created, ttl_seconds, expires_at, sealed"
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    owner TEXT NOT NULL, session_id TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
    digest TEXT NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL, created REAL NOT NULL,
    ttl_seconds REAL NOT NULL, expires_at REAL NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (owner, session_id)
);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expires_at);
CREATE TABLE IF NOT EXISTS owners (owner TEXT PRIMARY KEY, num_kept INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS sessions_one_more AFTER INSERT ON sessions BEGIN
    INSERT INTO owners VALUES (NEW.owner, 1) ON CONFLICT (owner) DO UPDATE SET num_kept = num_kept + 1;
END;
CREATE TRIGGER IF NOT EXISTS sessions_one_less AFTER DELETE ON sessions BEGIN
    UPDATE owners SET num_kept = num_kept - 1 WHERE owner = OLD.owner;
END;
"""


class SqliteStore:
    """As `SessionStore`, over a file that several processes of one machine may share."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Unavailable: the file cannot be opened, or is no database.
        """
        self._path = path
        self._thread = ThreadPoolExecutor(1, "session-store")
        self._connection: sqlite3.Connection | None = None
        try:
            self._thread.submit(self._open).result()
        except Unavailable:
            self._thread.shutdown()
            raise

    async def create(self, record: Record, *, now: float) -> bool:
        def run(db: sqlite3.Connection) -> bool:
            key = record.owner, record.session_id
            db.execute("DELETE FROM sessions WHERE owner=? AND session_id=? AND expires_at<=?", (*key, now))
            values = ",".join("?" * len(astuple(record)))
            done = db.execute(
                f"INSERT OR IGNORE INTO sessions ({_COLUMNS}) VALUES ({values})", astuple(record)
            )
            return done.rowcount == 1

        return await self._run(run)

    async def load(self, owner: str, session_id: str) -> Record | None:
        query = f"SELECT {_COLUMNS} FROM sessions WHERE owner=? AND session_id=?"
        row = await self._run(lambda db: db.execute(query, (owner, session_id)).fetchone())
        return None if row is None else Record(*row)

    async def replace(self, record: Record, *, revision: int) -> bool:
        query = (
            "UPDATE sessions SET revision=?, position=?, ttl_seconds=?, expires_at=?, sealed=? "
            "WHERE owner=? AND session_id=? AND revision=?"
        )
        new = record.revision, record.position, record.ttl_seconds, record.expires_at, record.sealed
        values = (*new, record.owner, record.session_id, revision)
        return await self._run(lambda db: db.execute(query, values).rowcount == 1)

    async def touch(self, owner: str, session_id: str, *, expires_at: float) -> None:
        query = "UPDATE sessions SET expires_at=? WHERE owner=? AND session_id=?"
        await self._run(lambda db: db.execute(query, (expires_at, owner, session_id)))

    async def delete(self, owner: str, session_id: str) -> bool:
        query = "DELETE FROM sessions WHERE owner=? AND session_id=?"
        return await self._run(lambda db: db.execute(query, (owner, session_id)).rowcount == 1)

    async def page(self, owner: str, *, after: str, limit: int, now: float) -> list[Record]:
        columns = _COLUMNS.replace("sealed", "x''")
        query = (
            f"SELECT {columns} FROM sessions WHERE owner=? AND session_id>? AND expires_at>? "
            "ORDER BY session_id LIMIT ?"
        )
        rows = await self._run(lambda db: db.execute(query, (owner, after, now, limit)).fetchall())
        return [Record(*row) for row in rows]

    async def count(self, owner: str | None, *, now: float) -> int:
        query = "SELECT count(*) FROM sessions WHERE expires_at>? AND (? IS NULL OR owner=?)"
        row = await self._run(lambda db: db.execute(query, (now, owner, owner)).fetchone())
        return int(row[0])

    async def num_kept(self, owner: str) -> int:
        query = "SELECT num_kept FROM owners WHERE owner=?"
        row = await self._run(lambda db: db.execute(query, (owner,)).fetchone())
        return 0 if row is None else int(row[0])

    async def purge(self, *, before: float) -> int:
        query = "DELETE FROM sessions WHERE expires_at<?"
        return await self._run(lambda db: db.execute(query, (before,)).rowcount)

    async def close(self) -> None:
        def close() -> None:
            if self._connection is not None:
                self._connection.close()

        await asyncio.get_running_loop().run_in_executor(self._thread, close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction on the store's thread.

        Raises:
            Unavailable: the disk is full, the file locked or damaged.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            connection = self._open()
            with connection:
                return work(connection)
        except sqlite3.Error as error:
            raise Unavailable(
                f"the session store cannot be used now: {error}", code="store_unavailable"
            ) from error

    def _open(self) -> sqlite3.Connection:
        """The connection, made when it is first wanted."""
        if self._connection is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.executescript(_SCHEMA)
            except (sqlite3.Error, OSError) as error:
                raise Unavailable(
                    f"cannot open the session store {str(self._path)!r}: {error}", code="store_unavailable"
                ) from error
            self._connection = connection
        return self._connection
