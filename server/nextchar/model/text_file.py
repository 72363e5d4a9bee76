"""Reads the bytes of a file or of standard input as text, in pieces or in lines."""

import codecs
import encodings
from collections.abc import Callable, Iterator
from typing import Protocol

from nextchar.errors import InvalidRequest
from nextchar.model.text_form import NewlineReader

CHUNK_BYTES = 2**20
MAX_LINE_CHARS = 2**28
_BYTE_ORDER_MARK = "\ufeff"
_UTF16_STARTS = (codecs.BOM_UTF16_LE[0], codecs.BOM_UTF16_BE[0])


# Made with what is done with a byte that is not of the encoding, as Python's codecs name it.
Decoder = Callable[[str], codecs.IncrementalDecoder]


class ByteSource(Protocol):
    """A binary file that is open, or standard input."""

    def read1(self, size: int, /) -> bytes:
        """Returns some bytes as soon as there are any; none at the end."""
        ...


def read_pieces(
    file: ByteSource, *, shown: str, advice: str, encoding: str = "utf-8", errors: str = "strict"
) -> Iterator[str]:
    """Yields the text of a file as it comes, with an LF for each CRLF and CR, without a byte order mark.

    Args:
        shown: the name of the file in an error.
        advice: what its message says to do.
        errors: what is done with a byte that is not of the encoding, as Python's codecs name it.

    Raises:
        InvalidRequest: it is not text in the encoding. The error names the line and the byte.
    """
    reader = _TextReader(shown, advice, encoding, errors)
    while chunk := file.read1(CHUNK_BYTES):
        if piece := reader.read(chunk):
            yield piece
    yield reader.read(b"", final=True)


def read_lines(
    file: ByteSource, *, shown: str, advice: str, encoding: str = "utf-8", errors: str = "strict"
) -> Iterator[str]:
    """Yields the lines of a file as they come, without their ends, which are LF, CRLF and CR.

    Raises:
        InvalidRequest: as `read_pieces`, or a line is longer than can be held in memory.
    """
    begun: list[str] = []
    num_chars = 0  # of the line that has begun
    for piece in read_pieces(file, shown=shown, advice=advice, encoding=encoding, errors=errors):
        first, *others = piece.split("\n")
        begun.append(first)
        num_chars += len(first)
        if others:
            yield "".join(begun)
            yield from others[:-1]
            begun, num_chars = [others[-1]], len(others[-1])
        if num_chars > MAX_LINE_CHARS:
            raise InvalidRequest(f"{shown} has a line of more than {MAX_LINE_CHARS} characters: cut it")
    if last := "".join(begun):
        yield last


def find_decoder(encoding: str) -> Decoder | None:
    """Returns what decodes one of the encodings of text that Python has; None of any other name.

    Packages register more, which are not asked: one that training brings (`future_typing`) takes every name
    for its own, and a misspelt encoding would be read as if it were one.
    """
    codec = encodings.search_function(encoding.lower().replace(" ", "_"))
    if codec is None:
        return None
    try:
        "".encode(codec.name)  # Python has codecs of bytes too, as hex
    except (LookupError, UnicodeError):
        return None
    return codec.incrementaldecoder


class _TextReader:
    """Decodes a file chunk by chunk, and counts its bytes and lines."""

    def __init__(self, shown: str, advice: str, encoding: str, errors: str) -> None:
        self._shown, self._advice, self._encoding = shown, advice, encoding
        if (decoder := find_decoder(encoding)) is None:
            raise InvalidRequest(
                f"encoding must be one that Python knows, as utf-8, utf-16 or latin-1 (it is {encoding!r})",
                param="encoding",
            )
        self._decode = decoder(errors).decode
        self._newlines = NewlineReader()
        self._num_bytes, self._num_lines = 0, 0
        self._has_begun = False

    def read(self, chunk: bytes, *, final: bool = False) -> str:
        """Returns the text that is whole after a chunk."""
        try:
            text = self._decode(chunk, final)
        except UnicodeDecodeError as error:
            # The position counts from what the decoder kept of the chunk before.
            offset = self._num_bytes + error.start - (len(error.object) - len(chunk))
            raise self._undecodable(error, offset) from None
        except UnicodeError as error:  # of UTF-16 and UTF-32 without a byte order mark
            raise InvalidRequest(f"{self._shown} is not {self._name}: {error}; {self._advice}") from None
        if "\0" in text:
            raise self._holds_nul(text)
        self._num_bytes += len(chunk)
        if text and not self._has_begun:
            self._has_begun, text = True, text.removeprefix(_BYTE_ORDER_MARK)
        piece = self._newlines.read(text)
        self._num_lines += piece.count("\n")
        return piece

    @property
    def _name(self) -> str:
        return self._encoding.upper()

    def _undecodable(self, error: UnicodeDecodeError, offset: int) -> InvalidRequest:
        byte = error.object[error.start]
        before = error.object[: error.start].decode(self._encoding, "ignore")
        wide = ", which is how UTF-16 begins" if offset == 0 and byte in _UTF16_STARTS else ""
        return InvalidRequest(
            f"{self._shown} is not {self._name}: byte 0x{byte:02x} at offset {offset}, in line "
            f"{self._line_after(before)}{wide}; {self._advice}"
        )

    def _holds_nul(self, text: str) -> InvalidRequest:
        before = text[: text.index("\0")]
        return InvalidRequest(
            f"{self._shown} is no text in {self._name}: it has NUL bytes, the first in line "
            f"{self._line_after(before)}, as UTF-16 has; {self._advice}"
        )

    def _line_after(self, before: str) -> int:
        """Returns the number of the line that a place is in, by the text of its chunk before it."""
        return self._num_lines + self._newlines.read(before).count("\n") + 1
