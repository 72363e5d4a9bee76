"""A terminal shows how far a file is; a log gets the summary alone."""

import io
import sys

import pytest

from nextchar.batch.files.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_on_a_terminal_has_the_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    seconds, part = [0.0], [0.0]
    progress = Progress("line", lambda: part[0], lambda: seconds[0])
    seconds[0], part[0] = 10.0, 0.25
    progress.bad(7, "is null")
    progress.done(5000)
    assert terminal.getvalue() == "\r\x1b[K5,000 rows, 500 per second, 25 %, 30.0 s left, 1 bad"


def test_rows_of_an_earlier_run_count_neither_for_the_rate_nor_for_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    seconds, part = [0.0], [0.0]
    progress = Progress("row", lambda: part[0], lambda: seconds[0])
    seconds[0], part[0] = 1.0, 0.5
    progress.replayed(50_000)
    seconds[0], part[0] = 101.0, 0.6
    progress.done(10_000)
    assert terminal.getvalue() == "\r\x1b[K60,000 rows, 100 per second, 60 %, 6 min 40 s left"
    assert progress.summary() == ["60,000 rows, 50,000 of them before, in 1 min 41 s, 100 per second"]


def test_what_is_no_terminal_gets_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    seconds = [0.0]
    progress = Progress("line", lambda: None, lambda: seconds[0])
    seconds[0] = 7200.0
    progress.done(3)
    progress.clear()
    assert log.getvalue() == ""
    assert progress.summary() == ["3 rows in 2 h 0 min, 0 per second"]


def test_many_bad_rows_are_counted_and_the_first_few_told() -> None:
    progress = Progress("line", lambda: None, lambda: 0.0)
    for number in range(1, 1235):
        progress.bad(number, "is null")
    told = "; ".join(f"line {number} is null" for number in range(1, 6))
    assert progress.summary()[1] == f"1,234 bad rows: {told}; and 1,229 more"
