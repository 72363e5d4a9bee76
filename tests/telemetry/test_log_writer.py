"""Log lines are written in order by a thread; who does not read them stops nobody, and is told."""

import gc
import logging
import os
import threading
from collections.abc import Iterator

import pytest
from support.waiting import until

from nextchar.telemetry import log_writer
from nextchar.telemetry.log_writer import DroppedLines, LogWriter


class Pipe:
    """A pipe as standard error, a writer of it and a logger of that alone."""

    def __init__(self, max_bytes: int = 1000) -> None:
        self.read_end, self._write_end = os.pipe()
        self.dropped = DroppedLines()
        self.writer = LogWriter(self._write_end, max_bytes=max_bytes, dropped=self.dropped)
        self.logger = logging.Logger("test", logging.DEBUG)
        self.logger.addHandler(self.writer)

    def read(self) -> str:
        return os.read(self.read_end, 2**20).decode()

    def read_to(self, end: str) -> Iterator[str]:
        """Yields what is written, up to a piece with a certain end."""
        piece = ""
        while not piece.endswith(end):
            piece = self.read()
            yield piece

    def close(self) -> None:
        os.close(self.read_end)
        self.writer.close()
        os.close(self._write_end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_lines_come_in_order_and_are_there_after_a_flush(pipe: Pipe) -> None:
    for number in range(20):
        pipe.logger.info("line %d", number)
    pipe.writer.flush()
    assert pipe.read().splitlines() == [f"line {number}" for number in range(20)]
    assert pipe.dropped.count == 0


def test_what_does_not_fit_is_dropped_and_the_next_line_says_how_many() -> None:
    pipe = Pipe(max_bytes=200_000)
    try:
        for _ in range(3000):  # the pipe itself holds 64 KiB
            pipe.logger.info("x" * 99)
        lost = pipe.dropped.count
        assert 0 < lost < 3000
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.extend(pipe.read_to("the last\n")))
        reader.start()
        until(lambda: pipe.writer._num_bytes == 0)
        pipe.logger.info("the last")
        reader.join(60)
        told = "".join(found)
        assert f"{lost} log lines were dropped" in told
        assert told.count("x" * 99) == 3000 - lost
    finally:
        pipe.close()


def test_a_flush_and_a_close_wait_for_a_reader_no_longer_than_they_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_writer, "_FLUSH_SECONDS", 0.01)
    pipe = Pipe(max_bytes=200_000)
    for _ in range(1000):
        pipe.logger.info("x" * 99)
    pipe.writer.flush()
    pipe.close()


def test_lines_that_cannot_be_written_are_counted() -> None:
    full, dropped = os.open("/dev/full", os.O_WRONLY), DroppedLines()
    writer = LogWriter(full, dropped=dropped)
    writer.handle(logging.LogRecord("a", logging.INFO, "", 0, "text", (), None))
    writer.flush()
    assert dropped.count == 1
    writer.close()
    os.close(full)


def test_a_message_that_does_not_fit_its_arguments_is_logged_as_it_is(pipe: Pipe) -> None:
    pipe.logger.info("%d strings", "many")
    pipe.writer.flush()
    assert "'%d strings' cannot be formatted" in pipe.read()


def test_a_collection_of_garbage_that_logs_does_not_wait_for_itself(pipe: Pipe) -> None:
    class Noisy:
        def __del__(self) -> None:
            pipe.logger.info("collected")

    with pipe.writer._changed:  # as in the middle of a line
        one = Noisy()
        one.itself = one  # type: ignore[attr-defined]
        del one
        gc.collect()
    pipe.writer.flush()
    assert "collected" in pipe.read()


def test_many_threads_write_whole_lines() -> None:
    pipe = Pipe(max_bytes=10**6)
    try:
        threads = [
            threading.Thread(target=lambda n=n: [pipe.logger.info("%d %d", n, k) for k in range(50)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipe.writer.flush()
        assert sorted(pipe.read().splitlines()) == sorted(f"{n} {k}" for n in range(4) for k in range(50))
    finally:
        pipe.close()
