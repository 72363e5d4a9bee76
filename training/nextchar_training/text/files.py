"""Reads files as text: one or a folder of them, plain or compressed, as characters or as bytes."""

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nextchar_training.text.code_points import Symbols
from nextchar_training.text.error import CorpusError

_CHUNK = 2**20
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


def read_pieces(path: Path, symbols: Symbols) -> Iterator[str]:
    """Yields a file's text, a million bytes at a time, with Unix newlines and without a byte-order mark.

    The symbols `bytes` come as they are, as the characters U+0000 to U+00FF.

    Raises:
        CorpusError: the file cannot be read, or is not UTF-8 where the symbols are characters.
    """
    try:
        with _opened(path) as file:
            yield from _raw_pieces(file) if symbols == "bytes" else _decoded_pieces(file, repr(str(path)))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"cannot read {str(path)!r}: {reason}", param="corpus") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
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


def _raw_pieces(file: IO[bytes]) -> Iterator[str]:
    while chunk := file.read(_CHUNK):
        yield chunk.decode("latin-1")


def _decoded_pieces(file: IO[bytes], shown: str) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    newlines = _Newlines()
    offset = 0
    while chunk := file.read(_CHUNK):
        if b"\0" in chunk:
            raise CorpusError(
                f"{shown} must be UTF-8 text (it has NUL bytes): give a text, or --symbols bytes",
                param="corpus",
            )
        yield newlines.unify(_decoded(decode, chunk, offset, shown, final=False))
        offset += len(chunk)
    yield newlines.unify(_decoded(decode, b"", offset, shown, final=True)) + newlines.rest()


def _decoded(decode: Callable[..., str], chunk: bytes, offset: int, shown: str, *, final: bool) -> str:
    try:
        return decode(chunk, final)
    except UnicodeDecodeError as error:
        # The position counts from what the decoder kept of the chunk before.
        at = offset + error.start - (len(error.object) - len(chunk))
        raise CorpusError(
            f"{shown} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {at}", param="corpus"
        ) from None


class _Newlines:
    """Turns carriage returns into newlines, also where a chunk ends between the two."""

    def __init__(self) -> None:
        self._return = False

    def unify(self, piece: str) -> str:
        """Returns the piece with newlines only; a carriage return at its end waits for the next piece."""
        if not piece:
            return ""
        whole = "\r" * self._return + piece
        self._return = whole.endswith("\r")
        return whole.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n")

    def rest(self) -> str:
        """Returns the newline of a carriage return at the end of the text."""
        return "\n" if self._return else ""
