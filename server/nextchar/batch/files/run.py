"""Annotates a file: reads, computes and writes at the same time, and goes on where an earlier run stopped."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from nextchar.batch.annotator import Annotator, Faults, OpenAnnotator, annotate_rows
from nextchar.batch.column import Filled
from nextchar.batch.files.block import Block, TableReader, TableWriter
from nextchar.batch.files.journal import Journal
from nextchar.batch.files.progress import Progress
from nextchar.errors import InvalidRequest

OnError = Literal["keep", "skip", "stop"]
_NUM_IN_FLIGHT = (
    3  # blocks that are computed at a time: one more than are cut into tries and joined meanwhile
)
Computed = tuple[list[Filled], Faults]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run needs; `execute` does it."""

    annotator: Annotator
    reader: TableReader
    on_error: OnError
    shown: str
    progress: Progress

    def execute(self, opened: OpenAnnotator, writer: TableWriter, journal: Journal | None) -> None:
        """Annotates every row.

        Raises:
            InvalidRequest: the input cannot be read on, or a row is bad and that is to stop the run. What was
                read before is computed and in the journal.
            NextcharError: the model cannot be used.
            OSError: the output or the journal cannot be written.
        """
        pending: deque[tuple[Block, Future[Computed]]] = deque()
        blocks, unreadable = self.reader.blocks(), None
        with _pool() as pool:
            while True:
                try:
                    block = next(blocks, None)
                except InvalidRequest as error:  # it is told once the rows before are done
                    unreadable = error
                    break
                if block is None:
                    break
                if not block.whole and journal is not None:
                    continue  # its output is not kept, and a run that goes on reads it again
                if not pending and journal is not None and (before := journal.replayed(block)):
                    self._write(block, before, writer)
                    self.progress.replayed(len(block.texts))
                    continue
                pending.append((block, pool.submit(self._compute, opened, block)))
                if len(pending) >= _NUM_IN_FLIGHT:
                    self._finish(pending.popleft(), writer, journal)
            while pending:
                self._finish(pending.popleft(), writer, journal)
        if unreadable is not None:
            raise unreadable
        writer.close()

    def _compute(self, opened: OpenAnnotator, block: Block) -> Computed:
        texts = [None if i in block.faults else text for i, text in enumerate(block.texts)]
        added, refused = annotate_rows(opened, self.annotator.columns, texts)
        return added, block.faults | refused

    def _finish(
        self, submitted: tuple[Block, "Future[Computed]"], writer: TableWriter, journal: Journal | None
    ) -> None:
        block, future = submitted
        added, faults = future.result()
        if journal is not None:
            journal.append(block, added, faults)
            self.progress.done(len(block.texts))  # they are kept, whatever becomes of the output
        self._write(block, (added, faults), writer)
        if journal is None:
            self.progress.done(len(block.texts))

    def _write(self, block: Block, computed: Computed, writer: TableWriter) -> None:
        added, faults = computed
        for i in sorted(faults):
            told = self.progress.bad(block.numbers[i], faults[i])
            if self.on_error == "stop":
                raise InvalidRequest(
                    f"{self.shown}, {told}; --on-error keep or skip goes on without it", param="input"
                )
        writer.write(block, added, faults if self.on_error == "skip" else {})


@contextmanager
def _pool() -> Generator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(_NUM_IN_FLIGHT, "annotate")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def writing(writer: TableWriter) -> Generator[TableWriter]:
    """Lets go of a writer whose output is given up: its library would write the rest at any later time."""
    try:
        yield writer
    except BaseException:
        with suppress(OSError, ValueError):
            writer.close()
        raise
