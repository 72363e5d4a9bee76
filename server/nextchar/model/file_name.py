"""Says by the name of a file of strings what it holds: lines or a table, and how it is compressed."""

from pathlib import PurePath
from typing import Literal, get_args

Compression = Literal["gzip", "bzip2", "xz", "zstd"]
Format = Literal["lines", "csv", "tsv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
_TABLES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


def compression_of_name(name: str) -> Compression | None:
    """Returns how a file is compressed; None if it is not."""
    return _split(name)[1]


def table_of_name(name: str) -> Format | None:
    """Returns the format of a table, compressed or not; None for any other file, which has lines."""
    return _TABLES.get(_split(name)[0])


def _split(name: str) -> tuple[str, Compression | None]:
    """Returns a file's suffix before that of its compression, and its compression."""
    path = PurePath(name)
    compression = _COMPRESSIONS.get(path.suffix.lower())
    return (path.with_suffix("") if compression else path).suffix.lower(), compression
