"""Opens and checks the file of the SQLite store, and sets it aside when it is damaged.

A damaged file is never written to and never deleted: it is renamed, and a new one is begun. Its sessions are
then not found, an error that clients know; a wrong state cannot be served, since states are sealed.
"""

import logging
import os
import sqlite3
import time
from pathlib import Path

from nextchar.errors import Unavailable

_BUSY_SECONDS = 2.0
_FORMAT = 2  # of the tables, in the file's user_version
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DAMAGED_READS = (sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_READ)
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS sessions (
    owner TEXT NOT NULL, session_id TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
    digest TEXT NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL, created REAL NOT NULL,
    ttl_seconds REAL NOT NULL, expires_at REAL NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (owner, session_id)
);
CREATE INDEX IF NOT EXISTS sessions_expiry ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_version ON sessions (model, version, expires_at);
DROP TRIGGER IF EXISTS sessions_one_more;
DROP TRIGGER IF EXISTS sessions_other_bytes;
DROP TRIGGER IF EXISTS sessions_one_less;
DROP TABLE IF EXISTS owners;
CREATE TABLE owners (
    owner TEXT PRIMARY KEY, num_kept INTEGER NOT NULL, num_bytes INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO owners SELECT owner, count(*), sum(length(sealed)) FROM sessions GROUP BY owner;
CREATE TRIGGER sessions_one_more AFTER INSERT ON sessions BEGIN
    INSERT INTO owners VALUES (NEW.owner, 1, length(NEW.sealed)) ON CONFLICT (owner)
    DO UPDATE SET num_kept = num_kept + 1, num_bytes = num_bytes + length(NEW.sealed);
END;
CREATE TRIGGER sessions_other_bytes AFTER UPDATE OF sealed ON sessions
WHEN length(NEW.sealed) <> length(OLD.sealed) BEGIN
    UPDATE owners SET num_bytes = num_bytes + length(NEW.sealed) - length(OLD.sealed) WHERE owner = NEW.owner;
END;
CREATE TRIGGER sessions_one_less AFTER DELETE ON sessions BEGIN
    UPDATE owners SET num_kept = num_kept - 1, num_bytes = num_bytes - length(OLD.sealed)
    WHERE owner = OLD.owner;
END;
PRAGMA user_version = 2;
COMMIT;
"""

logger = logging.getLogger(__name__)


class SqliteFile:
    """Holds one connection to one path, for one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._suspect = False

    def connection(self) -> sqlite3.Connection:
        """Returns the connection; makes it at first use and after the file was found damaged.

        Raises:
            Unavailable: the file cannot be opened, or the open one was removed or replaced.
        """
        if self._connection is not None and not self._is_still_there():
            self.close()
            raise _unavailable("its file was removed or replaced, and is opened again: retry")
        if self._connection is None:
            try:
                self._connection = self._open()
            except (sqlite3.Error, OSError) as error:
                raise Unavailable(
                    f"cannot open the session store {str(self._path)!r}: {error}", code="store_unavailable"
                ) from error
        return self._connection

    def failed(self, error: sqlite3.Error) -> Unavailable:
        """Returns a failure as clients see it; a file that may be damaged is checked before its next use."""
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF not in _PASSING:
            self._suspect = True
            self.close()
        return _unavailable(str(error))

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error:  # nothing more can be written to a damaged file
                logger.warning("the session store's file could not be closed cleanly")

    def _is_still_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except FileNotFoundError:
            return False

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            self._set_aside(str(error))
            connection = self._connect()
        self._inode, self._suspect = os.stat(self._path).st_ino, False
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            if self._suspect:
                (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if result != "ok":
                    raise _Damaged(result)
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name='sessions'").fetchone()
            if connection.execute("PRAGMA user_version").fetchone() != (_FORMAT,) or tables != (1,):
                connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self, reason: str) -> None:
        """Renames the file and those that belong to it."""
        suffix = time.strftime("damaged-%Y%m%dT%H%M%S")
        for end in ("", "-wal", "-shm"):
            path = self._path.with_name(self._path.name + end)
            if path.exists():
                path.rename(path.with_name(f"{path.name}.{suffix}"))
        logger.error(
            "the session store %s is damaged (%s): it is kept as %s.%s, and a new one is begun",
            self._path,
            reason,
            self._path.name,
            suffix,
        )


class _Damaged(sqlite3.DatabaseError):
    """A check of the file has found damage."""


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, _Damaged) or code & 0xFF in _DAMAGED or code in _DAMAGED_READS


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(f"the session store cannot be used now: {reason}", code="store_unavailable")
