"""Reads a source for as long as it lasts and prints the lines that surprise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nextchar.entrypoints.watching.ending import Ending, check_reader
from nextchar.entrypoints.watching.line_reader import LineReader, ReadLine
from nextchar.entrypoints.watching.line_splitter import Line, LineSplitter
from nextchar.entrypoints.watching.source import WatchedSource
from nextchar.errors import InvalidRequest

_POLL_SECONDS = 0.25
_MUCH_BEHIND_BYTES = 2**20
# Of lines that are read together: more would be printed later, fewer cost more.
_MAX_LINES, _MANY_CHARS = 64, 2048


@dataclass(frozen=True)
class Watch:
    """What is watched, by what, and which lines are printed how."""

    source: WatchedSource
    splitter: LineSplitter
    reader: LineReader
    threshold: float
    show: Callable[[ReadLine], None]
    tell: Callable[[str], None]
    shown: str  # the name of the source


class Watcher:
    """Reads, compares and prints, until the source ends or a signal comes."""

    def __init__(self, watch: Watch, ending: Ending) -> None:
        self._watch, self._ending = watch, ending
        self.num_printed = 0
        self._told_behind_bytes = _MUCH_BEHIND_BYTES // 2

    def run(self) -> None:
        """Returns when the source has ended.

        Raises:
            InvalidRequest: the source cannot be read any more.
            Ended: a signal came.
            BrokenPipeError: nobody reads what is printed.
        """
        source = self._watch.source
        while True:
            check_reader()
            with self._ending.interruptible():
                lines, has_more = self._next()
            for some in _cut(lines):
                with self._ending.interruptible():
                    read = self._watch.reader.read(some)
                self._print(read)
            if source.has_ended:
                return
            if has_more:
                self._tell_behind()
            else:
                with self._ending.interruptible():
                    source.wait(_POLL_SECONDS)

    def summary(self) -> str:
        """Returns a sentence of what was done."""
        num_lines = self._watch.reader.num_lines
        lines = "1 line" if num_lines == 1 else f"{num_lines:,} lines"
        return f"{lines} read, {self.num_printed:,} printed at a threshold of {self._watch.threshold:g}"

    def _next(self) -> tuple[list[Line], bool]:
        """Returns the lines that are there now, and whether something came."""
        watch = self._watch
        try:
            piece = watch.source.read()
        except OSError as error:
            raise InvalidRequest(f"{watch.shown} cannot be read: {error.strerror or error}") from error
        lines = watch.splitter.read(piece.data, is_last=piece.is_last)
        return lines, bool(piece.data) or piece.is_last

    def _print(self, read: list[ReadLine]) -> None:
        found = [one for one in read if one.p_value <= self._watch.threshold]
        for one in found:
            self._watch.show(one)
        self.num_printed += len(found)

    def _tell_behind(self) -> None:
        """Tells that lines come faster than they are read, and again whenever twice as many wait."""
        behind = self._watch.source.num_behind_bytes
        if behind >= 2 * self._told_behind_bytes:
            self._told_behind_bytes = behind
            self._watch.tell(f"{behind / 2**20:.1f} MiB of {self._watch.shown} are still to be read")


def _cut(lines: list[Line]) -> Iterator[list[Line]]:
    """Yields lines in groups, as many together as are read within a second or so."""
    group, num_chars = list[Line](), 0
    for line in lines:
        group.append(line)
        num_chars += len(line.text)
        if len(group) == _MAX_LINES or num_chars >= _MANY_CHARS:
            yield group
            group, num_chars = [], 0
    if group:
        yield group
