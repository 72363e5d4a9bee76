"""Whatever adds columns, of any kind, adds them to tables and files, and an interrupted run keeps them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tables import read_json_lines, read_parquet

from nextchar.batch.column import Column, Filled
from nextchar.batch.table_function import TableFunction
from nextchar.entrypoints.commands.table_options import TableArguments, annotate_file
from nextchar.errors import InvalidRequest

COLUMNS = (
    Column("half", "float64"),
    Column("length", "int64"),
    Column("is_even", "bool"),
    Column("verdict", "string"),
)
NUM_ROWS = 20_000


def values(text: str) -> list[Any]:
    """The columns of a string: one of a length that three divides has no verdict."""
    even = len(text) % 2 == 0
    return [len(text) / 2, len(text), even, None if len(text) % 3 == 0 else f"é{text[:2]}"]


@dataclass(frozen=True)
class Lengths:
    """An annotator with columns of every kind, as a judge has."""

    columns = COLUMNS

    @contextmanager
    def open(self) -> Iterator["OpenLengths"]:
        yield OpenLengths()


@dataclass(frozen=True)
class OpenLengths:
    @property
    def identity(self) -> dict[str, str]:
        return {"model": "lengths"}

    def annotate(self, strings: list[str]) -> list[Filled]:
        rows = [values(text) for text in strings]
        return [
            column.filled(list(items)) for column, items in zip(COLUMNS, zip(*rows, strict=True), strict=True)
        ]


def annotate(path: Path, output: Path, *, resume: bool = False) -> None:
    arguments = TableArguments(output=str(output), resume=resume)
    with path.open("rb") as file:
        annotate_file(Lengths(), file, arguments, "utf-8")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_of_every_kind_are_written_and_survive_an_interruption(tmp_path: Path, suffix: str) -> None:
    texts = ["x" * (i % 7) + f"{i:x}" for i in range(NUM_ROWS)]
    whole, cut = tmp_path / "in.txt", tmp_path / "cut.gz"
    whole.write_text("\n".join(texts) + "\n")
    packed = gzip.compress(whole.read_bytes())
    cut.write_bytes(packed[: len(packed) // 2])
    expected, output = tmp_path / f"expected{suffix}", tmp_path / f"out{suffix}"
    annotate(whole, expected)
    with pytest.raises(InvalidRequest, match="is cut off"):
        annotate(cut, output)
    assert Path(f"{output}.progress").stat().st_size > 1000
    annotate(whole, output, resume=True)
    assert output.read_bytes() == expected.read_bytes()
    names = ["text", *(column.name for column in COLUMNS)]
    wanted = [dict(zip(names, [text, *values(text)], strict=True)) for text in texts]
    if suffix == ".parquet":
        assert read_parquet(output) == wanted
    elif suffix == ".jsonl":
        assert read_json_lines(output.read_bytes()) == wanted
    else:
        assert output.read_text().splitlines()[1:3] == ["0,0.5,1,False,é0", "x1,1.0,2,True,éx1"]


def test_a_table_gets_columns_of_every_kind() -> None:
    add = TableFunction(Lengths(), "name", "", "keep")
    found = add(pa.table({"name": ["abcd", None, "abc"]})).to_pydict()
    assert found["length"] == [4, None, 3]
    assert found["is_even"] == [True, None, False]
    assert found["verdict"] == ["éab", None, None]
    assert add.sql == "half double, length bigint, is_even boolean, verdict string"
