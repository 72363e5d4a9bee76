"""Reads files as text: one or a folder of them, plain or compressed, as characters or as bytes."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nextchar.errors import InvalidRequest
from nextchar.model import text_file
from nextchar.model.text_file import ByteSource
from nextchar_training.text.code_points import Symbols
from nextchar_training.text.error import CorpusError

_NEWLINE_BYTES = 2**20
_ADVICE = "convert it to UTF-8, or give --symbols bytes"
_ADVICE_FOR_ONE_OF_MANY = "; or choose the files by --pattern"
_OPEN: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_UNREADABLE = {b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


def find_files(path: Path, pattern: str) -> list[Path]:
    """Returns the file, or a folder's matching files, sorted, without hidden files and folders.

    Raises:
        CorpusError: no file matches.
    """
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob(pattern) if p.is_file() and not _hidden(p.relative_to(path)))
    if not found:
        raise CorpusError(
            f"the folder {str(path)!r} has no file that matches --pattern {pattern!r}", param="corpus"
        )
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read_pieces(
    path: Path, symbols: Symbols, *, is_one_of_many: bool = False, advice: str = _ADVICE
) -> Iterator[str]:
    """Yields a file's text in pieces, as `nextchar.model.text_file.read_pieces` does.

    The symbols `bytes` come as they are, as the characters U+0000 to U+00FF. `advice` says what to do with a
    file that is not UTF-8.

    Raises:
        CorpusError: the file cannot be read, or is not UTF-8 where the symbols are characters.
    """
    try:
        with _opened(path) as file:
            if symbols == "bytes":
                yield from _raw_pieces(file)
            else:
                advice += _ADVICE_FOR_ONE_OF_MANY * is_one_of_many
                yield from text_file.read_pieces(file, shown=repr(str(path)), advice=advice)
    except InvalidRequest as error:
        raise CorpusError(error.message, param="corpus") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"cannot read {str(path)!r}: {reason}", param="corpus") from None


def newline_kinds(paths: list[Path]) -> tuple[str, ...]:
    """Returns which of LF, CRLF and CR end lines in the first `_NEWLINE_BYTES` of files that were read once.

    Raises:
        CorpusError: a file is compressed in a way that cannot be read.
    """
    found: set[str] = set()
    left = _NEWLINE_BYTES
    for path in paths:
        with _opened(path) as file:
            start = file.read1(left)
        num_crlf = start.count(b"\r\n")
        seen = {"LF": start.count(b"\n") - num_crlf, "CRLF": num_crlf, "CR": start.count(b"\r") - num_crlf}
        found |= {kind for kind, number in seen.items() if number}
        left -= len(start)
        if left <= 0:
            break
    return tuple(kind for kind in ("LF", "CRLF", "CR") if kind in found)


@contextmanager
def _opened(path: Path) -> Iterator[ByteSource]:
    """Opens the file, decompressed if its first bytes say that it is compressed."""
    with path.open("rb") as file:
        first = file.peek(8)[:8]
        for magic, name in _UNREADABLE.items():
            if first.startswith(magic):
                raise CorpusError(
                    f"{str(path)!r} is compressed with {name}: decompress it first", param="corpus"
                )
        unpack = next((unpack for magic, unpack in _OPEN.items() if first.startswith(magic)), None)
        if unpack is None:
            yield file
            return
        with unpack(file) as unpacked:
            yield unpacked


def _raw_pieces(file: ByteSource) -> Iterator[str]:
    while chunk := file.read1(text_file.CHUNK_BYTES):
        yield chunk.decode("latin-1")
