"""Opens and checks the file of the SQLite store, and sets it aside when it is damaged.

A damaged file is never written to and never deleted: it is renamed, and a new one is begun. Its sessions are
then not found, an error that clients know; a wrong state cannot be served, since states are sealed.
"""

import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from pathlib import Path

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores.sqlite_reserve import SqliteReserve

_FORMAT = 3  # of the tables, in the file's user_version
_OTHERS = 0o007  # the permissions of everybody
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
CREATE TABLE IF NOT EXISTS clock (
    id INTEGER PRIMARY KEY CHECK (id = 1), steady REAL NOT NULL, machine REAL NOT NULL,
    since_boot REAL NOT NULL, boot TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 3;
COMMIT;
"""

logger = logging.getLogger(__name__)


class SqliteFile:
    """Holds one connection to one path, for one thread."""

    def __init__(self, path: Path, *, before_open: Callable[[], None] = lambda: None) -> None:
        """Holds no connection yet; `before_open` is called each time, also after the file was taken away."""
        self._path, self._before_open = path, before_open
        self._reserve = SqliteReserve(path.with_suffix(".reserve"))
        self._connection: sqlite3.Connection | None = None
        self._wait_milliseconds = -1  # of the connection
        self._inode = 0
        self._suspect = False

    def connection(self, wait_seconds: float = 0.0) -> sqlite3.Connection:
        """Returns the connection; makes it at first use and after the file was found damaged.

        Args:
            wait_seconds: how long its calls wait for another process that writes.

        Raises:
            Unavailable: the file cannot be opened or looked at, or the open one was removed or replaced.
        """
        if self._connection is not None and not self.is_still_there():
            self.close()
            raise _unavailable("its file was removed or replaced, and is opened again: retry")
        if self._connection is None:
            try:
                self._connection, self._wait_milliseconds = self._open(wait_seconds), -1
            except (sqlite3.Error, OSError) as error:
                raise Unavailable(
                    f"cannot open the session store {str(self._path)!r}: {error}", code="store_unavailable"
                ) from error
        if (wait := _milliseconds(wait_seconds)) != self._wait_milliseconds:
            self._connection.execute(f"PRAGMA busy_timeout={wait}")
            self._wait_milliseconds = wait
        return self._connection

    def make_room(self, connection: sqlite3.Connection) -> None:
        """Makes room on a full disk for what frees room: gives up the reserve, and empties the log."""
        self._reserve.release()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def keep_reserve(self) -> None:
        """Sets the reserve aside again, once there is room for it."""
        self._reserve.keep()

    def failed(self, error: sqlite3.Error) -> Unavailable:
        """Returns a failure as clients see it; a file that may be damaged is checked before its next use."""
        if getattr(error, "sqlite_errorcode", None) is not None and not is_passing(error):
            self._suspect = True
            self.close()
        return _unavailable(str(error))

    def is_still_there(self) -> bool:
        """Returns whether the path leads to the file that is open.

        Raises:
            Unavailable: that cannot be told.
        """
        try:
            return os.stat(self._path).st_ino == self._inode
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise _unavailable(str(error)) from error

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.close()
            except sqlite3.Error:  # nothing more can be written to a damaged file
                logger.warning("the session store's file could not be closed cleanly")

    def _open(self, wait_seconds: float) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._before_open()
        try:
            connection = self._connect(wait_seconds)
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            self._set_aside(str(error))
            connection = self._connect(wait_seconds)
        self._inode, self._suspect = os.stat(self._path).st_ino, False
        return connection

    def _connect(self, wait_seconds: float) -> sqlite3.Connection:
        _make_private(self._path)
        connection = sqlite3.connect(self._path, timeout=max(0.0, wait_seconds), check_same_thread=False)
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


def _make_private(path: Path) -> None:
    """Makes the file, if there is none, for its owner alone; takes everybody's permissions from one there is.

    SQLite gives the files beside it the permissions of this one.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        try:
            path.chmod(mode & ~_OTHERS)
        except PermissionError:
            logger.warning("the session store %s can be read by everybody, and has another owner", path)


def _milliseconds(seconds: float) -> int:
    return max(0, round(1000 * seconds))


class _Damaged(sqlite3.DatabaseError):
    """A check of the file has found damage."""


def is_full(error: sqlite3.Error) -> bool:
    """Returns whether an error says that the disk is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def is_passing(error: sqlite3.Error) -> bool:
    """Returns whether an error says nothing of the file: it is locked, or the disk is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    return isinstance(error, _Damaged) or code & 0xFF in _DAMAGED or code in _DAMAGED_READS


def _unavailable(reason: str) -> Unavailable:
    return Unavailable(f"the session store cannot be used now: {reason}", code="store_unavailable")
