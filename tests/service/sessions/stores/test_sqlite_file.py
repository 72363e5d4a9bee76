"""The file of the SQLite store: which errors are damage, what is set aside, under which name."""

import sqlite3
import time
from pathlib import Path

import pytest
from support.replacing import replace_in

from nextchar.errors import Unavailable
from nextchar.service.sessions.stores import sqlite_file
from nextchar.service.sessions.stores.sqlite_file import SqliteFile


def _error(code: int | None) -> sqlite3.Error:
    error = sqlite3.DatabaseError("it says so")
    if code is not None:
        error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        (None, False),
        (0, False),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_IOERR, False),
        (sqlite3.SQLITE_IOERR_READ, True),
        (sqlite3.SQLITE_IOERR_SHORT_READ, True),
        (sqlite3.SQLITE_IOERR_WRITE, False),
    ],
)
def test_damage_is_what_sqlite_calls_so_and_pages_that_are_not_there(code: int | None, damage: bool) -> None:
    assert sqlite_file._is_damage(_error(code)) is damage


def test_what_a_check_finds_is_damage() -> None:
    assert sqlite_file._is_damage(sqlite_file._Damaged("a page is missing"))


@pytest.mark.parametrize(
    ("code", "closes"),
    [
        (None, False),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False),
        (sqlite3.SQLITE_LOCKED, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_IOERR_READ, True),
        (sqlite3.SQLITE_ERROR, True),
    ],
)
def test_after_an_error_that_does_not_pass_the_file_is_opened_and_checked_again(
    tmp_path: Path, code: int | None, closes: bool
) -> None:
    file = SqliteFile(tmp_path / "deep" / "folder" / "sessions.db")
    before = file.connection()
    told = file.failed(_error(code))
    assert (told.code, told.message) == (
        "store_unavailable",
        "the session store cannot be used now: it says so",
    )
    assert file._suspect is closes
    assert (file.connection() is not before) is closes
    assert file._suspect is False
    file.close()


def _journal(file: SqliteFile) -> tuple[str, int, int]:
    ask = file.connection().execute
    (mode,), (synchronous,), (version,) = (
        ask(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous", "user_version")
    )
    return mode, synchronous, version


def test_the_file_has_a_log_and_its_tables_are_made_once(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    file = SqliteFile(path)
    assert _journal(file) == ("wal", 1, 3)
    file.connection().execute("INSERT INTO owners VALUES ('ann', 7, 9)")
    file.connection().commit()
    file.close()
    file.close()
    again = SqliteFile(path)
    assert again.connection().execute("SELECT * FROM owners").fetchall() == [("ann", 7, 9)]
    again.close()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=1")
    other.close()
    again = SqliteFile(path)  # of an older format: what owners have is counted anew
    assert again.connection().execute("SELECT * FROM owners").fetchall() == []
    again.close()


def test_a_file_without_tables_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=3")
        other.execute("CREATE TABLE others (x)")
    other.close()
    file = SqliteFile(path)
    assert file.connection().execute("SELECT count(*) FROM sessions").fetchone() == (0,)
    file.close()


def test_a_damaged_file_is_kept_with_those_that_belong_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    moment = time.struct_time((2026, 3, 4, 5, 6, 7, 0, 0, 0))
    replace_in(monkeypatch, sqlite_file, "time", strftime=lambda shape: time.strftime(shape, moment))
    path = tmp_path / "sessions.db"
    for name in ("sessions.db", "sessions.db-wal", "other.db-shm"):
        (tmp_path / name).write_text(f"in {name}")
    SqliteFile(path)._set_aside("page 3 is missing")
    assert {name.name: name.read_text() for name in tmp_path.iterdir()} == {
        "sessions.db.damaged-20260304T050607": "in sessions.db",
        "sessions.db-wal.damaged-20260304T050607": "in sessions.db-wal",
        "other.db-shm": "in other.db-shm",
    }
    (tmp_path / "sessions.db-shm").write_text("an index")
    SqliteFile(path)._set_aside("again")
    assert (tmp_path / "sessions.db-shm.damaged-20260304T050607").read_text() == "an index"
    assert caplog.messages[0] == (
        f"the session store {path} is damaged (page 3 is missing): it is kept as "
        "sessions.db.damaged-20260304T050607, and a new one is begun"
    )


def test_a_file_that_is_suspected_is_checked_page_by_page(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sessions.db"
    file = SqliteFile(path)
    insert = "INSERT INTO sessions VALUES ('ann', ?, 'm', '1', 'd', 1, 1, 1, 1, 1, ?)"
    with file.connection() as connection:
        connection.executemany(insert, [(f"s{k}", b"x" * 3000) for k in range(20)])
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    with path.open("r+b") as raw:
        raw.seek(-2 * 4096, 2)
        raw.write(b"\xff" * 4096)
    trusting = SqliteFile(path)
    assert trusting.connection().execute("SELECT count(*) FROM owners").fetchone() == (1,)
    trusting.failed(_error(sqlite3.SQLITE_CORRUPT))
    assert trusting.connection().execute("SELECT count(*) FROM owners").fetchone() == (0,)
    trusting.close()
    assert "is damaged" in caplog.text
    assert len([name for name in tmp_path.iterdir() if ".damaged-" in name.name]) >= 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_taken_away_is_told_once_and_made_anew(tmp_path: Path, replaced: bool) -> None:
    path = tmp_path / "sessions.db"
    file = SqliteFile(path)
    assert file.connection() is file.connection()
    path.rename(tmp_path / "away")
    if replaced:
        path.write_bytes(b"")
    with pytest.raises(Unavailable) as told:
        file.connection()
    assert told.value.code == "store_unavailable"
    assert told.value.message == (
        "the session store cannot be used now: its file was removed or replaced, and is opened again: retry"
    )
    assert file.connection().execute("SELECT count(*) FROM sessions").fetchone() == (0,)
    file.close()


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "sessions.db", tmp_path):
        with pytest.raises(Unavailable) as told:
            SqliteFile(path).connection()
        assert told.value.code == "store_unavailable"
        assert told.value.message.startswith(f"cannot open the session store {str(path)!r}: ")


def test_a_connection_that_cannot_be_closed_is_let_go_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            raise sqlite3.OperationalError("disk I/O error")

    file = SqliteFile(tmp_path / "sessions.db")
    file.connection().close()
    file._connection = Stuck(tmp_path / "sessions.db")
    file.close()
    assert file._connection is None
    assert caplog.messages == ["the session store's file could not be closed cleanly"]
    assert file.connection().execute("SELECT 1").fetchone() == (1,)
    file.close()
