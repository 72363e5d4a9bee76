"""A file that grows is read by its name: every line once and in order, whatever is done to the file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.entrypoints.watching.file_follower import QUIET_SECONDS, FileFollower
from nextchar.entrypoints.watching.line_splitter import LineSplitter
from nextchar.entrypoints.watching.source import NOTHING_YET


class Reader:
    """Follows a file and keeps the lines, by a clock that only moves when it waits."""

    def __init__(self, path: Path, *, num_lines: int | None = None, follows: bool = True) -> None:
        self.now, self.told, self.lines = 0.0, list[str](), list[str]()
        self._splitter = LineSplitter()
        self.follower = FileFollower(
            path, num_lines=num_lines, follows=follows, tell=self.told.append, clock=lambda: self.now
        )

    def look(self) -> bool:
        """Reads once; returns whether something came."""
        piece = self.follower.read()
        self.lines += [line.text for line in self._splitter.read(piece.data, is_last=piece.is_last)]
        return piece != NOTHING_YET

    def read(self, *, waits: bool = True) -> list[str]:
        """Reads all that is there, waits until old files are given up, and returns what was read in all."""
        while self.look():
            pass
        if waits:
            for _ in range(len(self.follower._files)):
                self.now += QUIET_SECONDS
                while self.look():
                    pass
        return self.lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


@pytest.fixture
def following(log: Path) -> Iterator[Callable[..., Reader]]:
    readers: list[Reader] = []

    def follow(**options: object) -> Reader:
        readers.append(Reader(log, **options))  # type: ignore[arg-type]
        return readers[-1]

    yield follow
    for reader in readers:
        reader.follower.close()


Follow = Callable[..., Reader]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_lines_are_read_when_they_are_whole(log: Path, following: Follow) -> None:
    append(log, "one\ntw")
    reader = following()
    assert reader.read() == ["one"]
    append(log, "o\nthree\n")
    assert reader.read() == ["one", "two", "three"]
    assert reader.told == []


def test_a_file_that_is_not_there_is_waited_for_and_read_from_its_beginning(
    log: Path, following: Follow
) -> None:
    reader = following(num_lines=0)
    assert reader.read() == []
    append(log, "one\n")
    assert reader.read() == ["one"]
    assert reader.told == [f"{log} is not there: waiting for it", f"{log} is there: reading it"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log: Path, following: Follow) -> None:
    """Its program writes into it until it opens the new one; nginx does for a moment after USR1."""
    append(log, "one\n")
    reader = following()
    reader.read()
    old = log.with_suffix(".1")
    log.rename(old)
    append(old, "two\n")
    assert reader.read(waits=False) == ["one", "two"]
    append(log, "four\n")
    assert reader.read(waits=False) == ["one", "two"]
    append(old, "three\n")
    reader.now += QUIET_SECONDS / 2
    assert reader.read() == ["one", "two", "three", "four"]


def test_files_that_have_the_name_in_turn_are_all_read_by_a_slow_reader(log: Path, following: Follow) -> None:
    append(log, "".join(f"0 {i}\n" for i in range(50_000)))
    reader = following()
    for k in range(1, 20):
        log.rename(log.with_suffix(f".{k}"))
        append(log, "".join(f"{k} {i}\n" for i in range(100)))
        reader.look()  # a few hundred lines of the first
        if k > 1:
            log.with_suffix(f".{k - 1}").unlink()
    expected = [f"0 {i}" for i in range(50_000)] + [f"{k} {i}" for k in range(1, 20) for i in range(100)]
    assert len(reader.lines) < 50_000
    assert reader.read() == expected


def test_more_files_than_can_be_held_are_told_of(
    log: Path, following: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextchar.entrypoints.watching.file_follower._MAX_FILES", 2)
    append(log, "one\n")
    reader = following()
    for k in range(3):
        log.rename(log.with_suffix(f".{k}"))
        append(log, f"{k}\n")
        reader.look()
    assert "was replaced 2 times before it was read: some of it is lost" in reader.told[-1]
    assert reader.read() == ["one", "0", "2"]


def test_a_file_that_is_copied_and_truncated_is_read_from_its_beginning(log: Path, following: Follow) -> None:
    append(log, "one\ntwo\n")
    reader = following()
    reader.read()
    os.truncate(log, 0)
    assert reader.read() == ["one", "two"]
    append(log, "three\n")
    assert reader.read() == ["one", "two", "three"]
    assert reader.told == [f"{log} was truncated or written anew: reading it from its beginning"]


def test_a_truncated_file_that_has_outgrown_its_old_size_is_known_as_such(
    log: Path, following: Follow
) -> None:
    append(log, "one\ntwo\n")
    reader = following()
    reader.read()
    os.truncate(log, 0)
    append(log, "three\nfour\nfive\n")
    assert reader.read() == ["one", "two", "three", "four", "five"]


def test_a_program_that_does_not_append_leaves_a_hole_and_loses_no_line(log: Path, following: Follow) -> None:
    with log.open("w") as program:
        program.write("one\n" * 30_000)
        program.flush()
        reader = following()
        reader.read()
        os.truncate(log, 0)
        program.write("two\n")
    assert log.stat().st_size > 100_000
    assert reader.read() == ["one"] * 30_000 + ["two"]


def test_a_deleted_file_is_waited_for(log: Path, following: Follow) -> None:
    append(log, "one\nrest")
    reader = following()
    reader.read()
    log.unlink()
    assert reader.read() == ["one"]
    append(log, "two\n")
    assert reader.read() == ["one", "rest", "two"]
    assert [told.removeprefix(f"{log} ") for told in reader.told] == [
        "is gone: waiting for a new one",
        "was replaced: the new one is read after it",
    ]


def test_a_link_that_leads_to_another_file_is_followed(log: Path, following: Follow) -> None:
    for name in ("a", "b"):
        append(log.with_name(name), f"{name}\n")
    log.symlink_to("a")
    reader = following()
    reader.read()
    other = log.with_name("link")
    other.symlink_to("b")
    other.replace(log)
    assert reader.read() == ["a", "b"]


def test_a_folder_that_takes_the_name_is_told_of_and_waited_out(log: Path, following: Follow) -> None:
    append(log, "one\n")
    reader = following()
    log.rename(log.with_suffix(".1"))
    log.mkdir()
    assert reader.read() == ["one"]
    assert "is not a regular file" in reader.told[-1]
    log.rmdir()
    append(log, "two\n")
    assert reader.read() == ["one", "two"]


@given(st.lists(st.text("ab\n", max_size=9), max_size=8).map("".join), st.integers(0, 12), st.integers(1, 9))
def test_it_begins_with_the_last_whole_lines(
    tmp_path: Path, content: str, num_lines: int, block: int
) -> None:
    log = tmp_path / "app.log"
    log.write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nextchar.entrypoints.watching.followed_file._BLOCK_BYTES", block)
        reader = Reader(log, num_lines=num_lines)
    append(log, "!\n")
    *whole, rest = content.split("\n")
    expected = (whole[-num_lines:] if num_lines else []) + [f"{rest}!"]
    assert reader.read() == expected
    assert reader.told == []
    reader.follower.close()


def test_one_that_is_not_followed_ends_at_its_end(log: Path, following: Follow) -> None:
    append(log, "one\ntwo")
    reader = following(follows=False)
    assert reader.look()
    assert not reader.follower.has_ended
    assert reader.read() == ["one", "two"]
    assert reader.follower.has_ended
    with pytest.raises(FileNotFoundError):
        FileFollower(log.with_name("none"), num_lines=None, follows=False, tell=print)


# What programs and people do to a log. `look` reads a little; the others are done behind the reader's back.
_DEEDS = st.lists(
    st.sampled_from(["line", "lines", "part", "look", "read", "rename", "delete", "truncate", "rewrite"]),
    max_size=40,
)


class Log:
    """A log, what is done to it, and the lines that a reader is to find."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self._part, self._count = path, list[str](), "", 0
        self.path.touch()

    def do(self, deed: str, reader: Reader) -> None:
        match deed:
            case "line":
                self._write(f"{self._new()}\n")
            case "lines":
                self._write("".join(f"{self._new()} {'x' * 90}\n" for _ in range(200)))
            case "part":
                self._write(self._new())
            case "look":
                reader.look()
            case "read":
                reader.read()
            case "rename":
                reader.look()  # or a file could have the name between two looks alone
                self.path.rename(self.path.with_name(f"old-{self._new()}"))
                self._begin()
            case "delete":
                reader.look()
                self.path.unlink()
                self._begin()
            case "truncate" | "rewrite":
                reader.read()  # or what was not read yet is lost
                self._begin("" if deed == "truncate" else f"{self._new()} written anew\n")

    def _begin(self, text: str = "") -> None:
        """Makes the file begin anew; what has no newline is a line by then."""
        if self._part:
            self.lines.append(self._part)
        self._part = ""
        self.path.write_text("")
        self._write(text)

    def _write(self, text: str) -> None:
        append(self.path, text)
        *lines, self._part = (self._part + text).split("\n")
        self.lines += lines

    def _new(self) -> str:
        self._count += 1
        return f"({self._count})"


@given(_DEEDS)
def test_every_line_is_read_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
) -> None:
    log = Log(tmp_path_factory.mktemp("log") / "app.log")
    reader = Reader(log.path)
    for deed in deeds:
        log.do(deed, reader)
    log.do("line", reader)
    assert reader.read() == log.lines
    reader.follower.close()
