"""Writes log lines from a thread of its own: who reads standard error may stop, and the server goes on."""

import logging
import os
import select
import threading
from collections import deque

_MAX_BYTES = 4 * 2**20  # of lines that wait; some ten thousand of them
_BATCH_BYTES = 64 * 1024
_FLUSH_SECONDS = 2.0
_DROPPED = "%d log lines were dropped: standard error is not read, or not fast enough, or cannot be written"


class DroppedLines:
    """Counts the log lines that were dropped."""

    def __init__(self) -> None:
        self.count = 0


OF_PROCESS = DroppedLines()  # as logging's handlers are the process's, not one server's


class LogWriter(logging.Handler):
    """Formats records where they are logged and writes them, in order, from a thread.

    Lines for which there is no room, or which cannot be written, are dropped; the next line that is written
    says how many.
    """

    def __init__(
        self, descriptor: int, *, max_bytes: int = _MAX_BYTES, dropped: DroppedLines = OF_PROCESS
    ) -> None:
        """Writes to an open file, which stays the caller's; counts what it drops."""
        super().__init__()
        self._descriptor, self._max_bytes, self._dropped = descriptor, max_bytes, dropped
        self._lines: deque[bytes] = deque()
        self._num_bytes = 0  # of the lines that wait or are being written
        self._num_untold = 0
        self._closed = False
        # Reentrant: the collection of garbage may log while a line is queued.
        self._changed = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queues the line of a record; never waits for whoever reads it."""
        line = self._line(record)
        with self._changed:
            if self._closed or self._num_bytes + len(line) > self._max_bytes:
                self._drop(1)
                return
            self._lines.append(line)
            self._num_bytes += len(line)
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until all lines are written, two seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._num_bytes == 0, _FLUSH_SECONDS)

    def close(self) -> None:
        """Ends the thread once it has written what waits; drops what is logged from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            text = self.format(record)
        except (TypeError, ValueError, KeyError) as error:  # the arguments do not fit the message
            record.msg, record.args = f"{record.msg!r} cannot be formatted: {error}", ()
            text = self.format(record)
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def _drop(self, count: int) -> None:
        self._dropped.count += count
        self._num_untold += count

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    return
                batch = self._next_batch()
            self._write(batch)

    def _next_batch(self) -> list[bytes]:
        batch, size = [self._lines.popleft()], 0
        while self._lines and size < _BATCH_BYTES:
            batch.append(self._lines.popleft())
            size += len(batch[-1])
        return batch

    def _write(self, batch: list[bytes]) -> None:
        with self._changed:
            untold, self._num_untold = self._num_untold, 0
        told = [self._line(_note(untold))] if untold else []
        try:
            write_all(self._descriptor, b"".join([*told, *batch]))
            lost = 0
        except OSError:
            lost = len(batch)
        with self._changed:
            self._num_bytes -= sum(map(len, batch))
            if lost:
                self._num_untold += untold
                self._drop(lost)
            self._changed.notify_all()


def _note(count: int) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, _DROPPED, (count,), None)


def write_all(descriptor: int, content: bytes) -> None:
    """Writes bytes to an open file, however many writes that takes; raises OSError."""
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another process has made it non-blocking for all that share it
            writable = select.poll()
            writable.register(descriptor, select.POLLOUT)
            writable.poll()
