"""Cuts the bytes of a text that grows into lines of a bounded length."""

from dataclasses import dataclass

from nextchar.errors import InvalidRequest
from nextchar.model.text_file import Decoder, find_decoder

MAX_LINE_CHARS = 16_384
_MAX_CHAR_BYTES = 4  # of UTF-8; other encodings may hold fewer characters


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. The rest of one that `is_cut` was too long and is not known."""

    text: str
    is_cut: bool = False


class LineSplitter:
    """Takes bytes as they come and returns the lines that are whole; holds one line at most.

    Lines end in LF or CRLF. A byte that is not of the encoding is shown as a backslash and its number, as
    `\\xff`, and read so. NUL bytes at the beginning of a line are left out: a log that is truncated under a
    program that does not open it for appending begins with a hole of the old size.
    """

    def __init__(self, encoding: str = "utf-8", max_line_chars: int = MAX_LINE_CHARS) -> None:
        """Begins a line.

        Raises:
            InvalidRequest: the encoding is not known, or its newline is not one byte.
        """
        self._decoder = _decoder_of(encoding)
        self._max_chars, self._max_bytes = max_line_chars, max_line_chars * _MAX_CHAR_BYTES
        self._begun, self._is_cut = bytearray(), False

    def read(self, data: bytes, *, is_last: bool = False) -> list[Line]:
        """Returns the lines that end in some bytes; after the last ones, also one without a newline."""
        *ends, rest = data.split(b"\n")
        lines = [self._end(part) for part in ends]
        self._add(rest)
        if is_last and self._begun:
            lines.append(self._end(b""))
        return lines

    def _add(self, part: bytes) -> None:
        if not self._begun:
            part = part.lstrip(b"\0")
        room = self._max_bytes - len(self._begun)
        self._begun += part[:room]
        self._is_cut |= len(part) > room

    def _end(self, part: bytes) -> Line:
        self._add(part)
        # Of what was cut, a character that has lost its last bytes is left out.
        text = self._decoder("backslashreplace").decode(bytes(self._begun), not self._is_cut)
        line = Line(text[: self._max_chars].removesuffix("\r"), self._is_cut or len(text) > self._max_chars)
        self._begun.clear()
        self._is_cut = False
        return line


def _decoder_of(encoding: str) -> Decoder:
    decoder = find_decoder(encoding)
    if decoder is None or not _fits(encoding, decoder):
        raise InvalidRequest(
            "encoding must be one that Python knows and whose newline is one byte, as utf-8 or latin-1 "
            f"(it is {encoding!r})",
            param="encoding",
        )
    return decoder


def _fits(encoding: str, decoder: Decoder) -> bool:
    """Returns whether newlines can be found among the bytes, and other bytes can be shown by number."""
    try:
        return "\n".encode(encoding) == b"\n" and decoder("backslashreplace").decode(b"\n", True) == "\n"
    except UnicodeError:  # as of idna, which cannot replace
        return False
