"""Holds text of any size as code points, in memory or in an unnamed file that is memory-mapped."""

import hashlib
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.model.text_form import CaseFolding, Normalization, fold_case

Symbols = Literal["characters", "bytes"]
Unit = Literal["text", "line"]
CodePoints = NDArray[np.uint32]

MAX_CHARS_IN_MEMORY = 64 * 2**20  # 256 MiB of code points
_CHUNK = 2**20
_NUM_CODE_POINTS = 0x110000
_NOTHING: CodePoints = np.empty(0, dtype="<u4")


@dataclass(frozen=True, eq=False)
class Text:
    """A text as `code_points`, uint32 [n]. A slice is a text over the same memory or file."""

    code_points: CodePoints

    @classmethod
    def of(cls, characters: str) -> "Text":
        """Makes a text of a string."""
        return cls(np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), dtype="<u4"))

    def __len__(self) -> int:
        return len(self.code_points)

    def __getitem__(self, part: slice) -> "Text":
        return Text(self.code_points[part])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and np.array_equal(self.code_points, other.code_points)

    def __hash__(self) -> int:
        return hash(self.code_points[:64].tobytes())

    def __str__(self) -> str:
        return self.code_points.tobytes().decode("utf-32-le", "surrogatepass")

    def chunks(self) -> Iterator[CodePoints]:
        """Yields the code points, a million at a time."""
        for first in range(0, len(self), _CHUNK):
            yield self.code_points[first : first + _CHUNK]

    def counts(self) -> NDArray[np.int64]:
        """Counts how often each code point occurs, int64 [0x110000]."""
        total = np.zeros(_NUM_CODE_POINTS, dtype=np.int64)
        for chunk in self.chunks():
            total += np.bincount(chunk, minlength=_NUM_CODE_POINTS)
        return total


def joined(texts: Sequence[Text]) -> Text:
    """Concatenates texts, in memory or, if they are large, in a file."""
    if len(texts) == 1:
        return texts[0]
    arrays = [text.code_points for text in texts]
    size = sum(map(len, arrays))
    if size <= MAX_CHARS_IN_MEMORY:
        return Text(np.concatenate([_NOTHING, *arrays]))
    file = unnamed_file()
    for array in arrays:
        file.write(array.tobytes())
    return Text(mapped(file, "<u4", size))


class TextBuilder:
    """Builds a text from pieces that are cut anywhere; digests, folds, normalises and stores it."""

    def __init__(
        self,
        normalization: Normalization = "none",
        symbols: Symbols = "characters",
        case_folding: CaseFolding = "none",
    ) -> None:
        self._normalization, self._case_folding = normalization, case_folding
        self._encoding = "utf-8" if symbols == "characters" else "latin-1"
        self._digest = hashlib.sha256()
        self._held_back = ""
        self._pieces: list[CodePoints] = []
        self._file: IO[bytes] | None = None
        self._size = 0
        self.document_starts: list[int] = []

    def begin_document(self) -> None:
        """Records that a document starts here."""
        self._flush()
        self.document_starts.append(self._size)

    def add(self, piece: str) -> None:
        """Adds the next piece of the text."""
        self._digest.update(piece.encode(self._encoding))
        piece = fold_case(piece, self._case_folding)
        if self._normalization == "none":
            self._keep(piece)
            return
        # A character in ASCII composes with nothing before it: up to there the text is final.
        whole = self._held_back + piece
        cut = next((k for k in range(len(whole) - 1, -1, -1) if whole[k].isascii()), 0)
        self._held_back = whole[cut:]
        self._keep(unicodedata.normalize("NFC", whole[:cut]))

    def build(self) -> tuple[Text, str]:
        """Returns the text, and the SHA-256 of what was added: of its UTF-8, or of the bytes themselves."""
        self._flush()
        if self._file is not None:
            return Text(mapped(self._file, "<u4", self._size)), self._digest.hexdigest()
        return Text(np.concatenate([_NOTHING, *self._pieces])), self._digest.hexdigest()

    def _flush(self) -> None:
        if self._held_back:
            self._keep(unicodedata.normalize("NFC", self._held_back))
            self._held_back = ""

    def _keep(self, piece: str) -> None:
        code_points = Text.of(piece).code_points
        self._size += len(code_points)
        if self._file is None and self._size > MAX_CHARS_IN_MEMORY:
            self._file = unnamed_file()
            for earlier in self._pieces:
                self._file.write(earlier.tobytes())
            self._pieces.clear()
        if self._file is None:
            self._pieces.append(code_points)
        else:
            self._file.write(code_points.tobytes())


def unnamed_file() -> IO[bytes]:
    """Opens a temporary file that is deleted when it is closed, at the latest with this process."""
    return tempfile.TemporaryFile(prefix="nextchar-")


def mapped(file: IO[bytes], dtype: str, size: int) -> NDArray[Any]:
    """Maps what was written to a file as an array, and closes the file."""
    with file:
        file.flush()
        return np.memmap(file, dtype=dtype, mode="r", shape=(size,))
