"""Splits the bytes of an event stream into lines."""

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


class LineSplitter:
    """Splits pieces of bytes, cut anywhere, into lines at LF, CRLF and CR.

    Those are the line ends of server-sent events. `str.splitlines` also splits at characters that JSON leaves
    as they are in a string: U+2028, U+2029 and U+0085.
    """

    def __init__(self) -> None:
        self._begun: list[bytes] = []  # the pieces of a line whose end has not come
        self._after_return = False  # the last piece ended in CR: an LF that comes next belongs to it

    def lines(self, piece: bytes) -> list[str]:
        """Returns the lines that end in a piece, without their ends; bytes that are not UTF-8 are U+FFFD."""
        if not piece:
            return []
        if self._after_return:
            piece = piece.removeprefix(b"\n")
        self._after_return = piece.endswith(b"\r")
        first, *rest = _LINE_END.split(piece)
        self._begun.append(first)
        if not rest:
            return []
        *whole, begun = rest
        ended = [b"".join(self._begun), *whole]
        self._begun = [begun]
        return [line.decode(errors="replace") for line in ended]
