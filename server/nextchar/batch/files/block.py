"""Defines a block: consecutive rows of a file, with the strings that are annotated together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from nextchar.batch.annotator import Faults
from nextchar.batch.column import Filled
from nextchar.batch.table_function import MAX_CHARS, MAX_ROWS
from nextchar.batch.texts import read_texts


class Row(NamedTuple):
    """One row as it was read: number in the file, value, why it has none, and what is written again."""

    number: int
    value: Any
    fault: str | None
    raw: Any


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that follow each other: numbers, strings or None, why there is none, and what is written again.

    It is not `whole` if the input could not be read beyond it: read again, it may have more rows.
    """

    numbers: Sequence[int]
    texts: list[str | None]
    faults: Faults
    raw: Any
    whole: bool = True


class TableReader(Protocol):
    """Reads a file block by block; the blocks of the same rows are always the same."""

    @property
    def place(self) -> str:
        """What its numbers count: "line" or "row"."""
        ...

    def blocks(self) -> Iterator[Block]:
        """Yields the blocks.

        Raises:
            InvalidRequest: the file cannot be read on.
        """
        ...


class TableWriter(Protocol):
    """Writes rows with the added columns."""

    def write(self, block: Block, added: Sequence[Filled], left_out: Faults) -> None:
        """Writes the rows of a block, but for those that are left out."""
        ...

    def close(self) -> None:
        """Writes what is still to be written."""
        ...


def make_block(numbers: Sequence[int], values: Iterable[Any], faults: Faults, raw: Any) -> Block:
    """Makes the block of these values; `faults` say more of some rows than their values do."""
    texts, found = read_texts(values)
    return Block(numbers, texts, {**found, **faults}, raw)


def cut_into_blocks(rows: Iterable[Row]) -> Iterator[Block]:
    """Yields the rows in blocks of a bounded size.

    If the rows end with an error, those before it are yielded first.
    """
    block: list[Row] = []
    num_chars = 0
    try:
        for row in rows:
            size = len(row.value) if isinstance(row.value, str) else 0
            if block and (len(block) >= MAX_ROWS or num_chars + size > MAX_CHARS):
                yield _block_of(block)
                block, num_chars = [], 0
            block.append(row)
            num_chars += size
    except Exception:
        if block:
            yield replace(_block_of(block), whole=False)
        raise
    if block:
        yield _block_of(block)


def _block_of(rows: list[Row]) -> Block:
    numbers, values, faults, raw = zip(*rows, strict=True)
    told = {i: fault for i, fault in enumerate(faults) if fault is not None}
    return make_block(numbers, values, told, raw)
