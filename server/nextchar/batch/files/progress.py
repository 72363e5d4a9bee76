"""Tells how far a file is done: a line that is written over on a terminal, and a summary at the end."""

import sys
import time
from collections.abc import Callable

_EVERY_SECONDS = 0.5
_MAX_TOLD = 5
_CLEAR = "\r\x1b[K"


class Progress:
    """Counts rows and bad rows, and tells how long is left by the part of the input that was read."""

    def __init__(
        self,
        place: str,
        fraction: Callable[[], float | None],
        now: Callable[[], float] = time.monotonic,
        *,
        quiet: bool = False,
    ) -> None:
        """Begins to count.

        Args:
            place: What the numbers of rows count: "line" or "row".
            fraction: Returns which part of the input was read; None if its size is not known.
            now: Returns the time in seconds.
            quiet: Shows no line, even on a terminal.
        """
        self._place, self._fraction, self._now = place, fraction, now
        self._started = self._told = now()
        self._begun, self._begun_fraction = self._started, 0.0  # once nothing was left to be read again
        self._is_shown = sys.stderr.isatty() and not quiet
        self.num_rows = self.num_bad = 0
        self._num_replayed = 0
        self._first_bad: list[str] = []

    def replayed(self, num_rows: int) -> None:
        """Counts rows that an earlier run had done."""
        self.num_rows += num_rows
        self._num_replayed += num_rows
        self._begun, self._begun_fraction = self._now(), self._fraction() or 0.0

    def bad(self, number: int, why: str) -> str:
        """Counts a bad row and returns the sentence about it."""
        told = f"{self._place} {number} {why}"
        self.num_bad += 1
        if len(self._first_bad) < _MAX_TOLD:
            self._first_bad.append(told)
        return told

    def done(self, num_rows: int) -> None:
        """Counts rows, and shows how far it is."""
        self.num_rows += num_rows
        now = self._now()
        if self._is_shown and now - self._told >= _EVERY_SECONDS:
            self._told = now
            sys.stderr.write(_CLEAR + self._line())
            sys.stderr.flush()

    def summary(self) -> list[str]:
        """Returns the lines that are told at the end."""
        rows = "1 row" if self.num_rows == 1 else f"{self.num_rows:,} rows"
        before = f", {self._num_replayed:,} of them before," if self._num_replayed else ""
        lines = [f"{rows}{before} in {_duration(self._now() - self._started)}{self._rate()}"]
        if self.num_bad:
            more = f"; and {self.num_bad - len(self._first_bad):,} more"
            told = "; ".join(self._first_bad) + (more if self.num_bad > len(self._first_bad) else "")
            lines.append(f"{self.num_bad:,} bad {'row' if self.num_bad == 1 else 'rows'}: {told}")
        return lines

    def clear(self) -> None:
        """Takes the line away."""
        if self._is_shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

    def _line(self) -> str:
        line = f"{self.num_rows:,} rows{self._rate()}"
        fraction = self._fraction()
        if fraction is not None and fraction > self._begun_fraction:
            per_part = (self._now() - self._begun) / (fraction - self._begun_fraction)
            line += f", {100 * fraction:.0f} %, {_duration(per_part * (1 - fraction))} left"
        return line + (f", {self.num_bad:,} bad" if self.num_bad else "")

    def _rate(self) -> str:
        seconds, num_rows = self._now() - self._begun, self.num_rows - self._num_replayed
        return f", {num_rows / seconds:,.0f} per second" if seconds > 0 and num_rows else ""


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
