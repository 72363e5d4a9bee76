"""Holds the scored characters of a string, and the next characters of a distribution, in columns."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.sampler import Doubles, Indices
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.rows import Rows
from nextchar.schemas.score import CharScore, NextChar, Score

Places = NDArray[np.int32]


class CharScores(Rows[CharScore]):
    """Lists each character of a text in normal form, then the end symbol if it was scored."""

    def __init__(
        self,
        text: str,
        logprobs: Doubles,
        vocabulary: Vocabulary,
        model_logprobs: Doubles | None = None,
    ) -> None:
        """Keeps the text and the log-probability of each of its characters, and of the end symbol.

        `model_logprobs` are the network's own, of a text that is learned.
        """
        self._own = model_logprobs
        self._text, self._logprobs, self._vocabulary = text, logprobs, vocabulary
        self._code_points, self._bytes = _places(text, vocabulary)

    def __len__(self) -> int:
        return len(self._logprobs)

    def made(self, plain: dict[str, object]) -> CharScore:
        return CharScore.model_validate(plain)

    def plain(self, start: int, stop: int) -> list[dict[str, object]]:
        characters: list[str | None] = list(self._text[start:stop])
        if self._vocabulary.symbols == "bytes":
            characters = list(map(self._vocabulary.shown, self._text[start:stop]))
        has_end = stop > len(self._text)
        places = range(start, stop)
        columns = (
            [*characters, None] if has_end else characters,
            places,
            places if self._code_points is None else self._code_points[start:stop].tolist(),
            places if self._bytes is None else self._bytes[start:stop].tolist(),
            self._logprobs[start:stop].tolist(),
        )
        rows: list[dict[str, object]] = [
            {"char": char, "offset": k, "code_point_offset": point, "byte_offset": byte, "logprob": logprob}
            for char, k, point, byte, logprob in zip(*columns, strict=True)
        ]
        if has_end:
            rows[-1]["special"] = "end"
        if self._own is not None:
            for row, logprob in zip(rows, self._own[start:stop].tolist(), strict=True):
                row["model_logprob"] = logprob
        return rows


def _places(text: str, vocabulary: Vocabulary) -> tuple[Places | None, Places | None]:
    """Returns where each symbol of a text in normal form begins, and its end, in code points and UTF-8 bytes.

    None stands for the numbers of the symbols themselves.
    """
    if text.isascii():
        return None, None
    if vocabulary.symbols == "bytes":
        raw = np.frombuffer(text.encode("latin-1"), dtype=np.uint8)
        # The bytes of a character after its first are 0b10……; all of them belong to its code point.
        begun = np.cumsum((raw & 0xC0) != 0x80, dtype=np.int32)
        end = len(text.encode("latin-1").decode(errors="replace"))
        return np.append(np.maximum(begun - 1, 0), np.int32(end)), None
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    sizes = 1 + (points >= 0x80).astype(np.int32) + (points >= 0x800) + (points >= 0x10000)
    return None, np.concatenate([np.zeros(1, dtype=np.int32), np.cumsum(sizes, dtype=np.int32)])


class NextChars(Rows[NextChar]):
    """Lists symbols and their probability, as `order` has them."""

    def __init__(
        self,
        order: Indices,
        logprobs: Doubles,
        vocabulary: Vocabulary,
        model_logprobs: Doubles | None = None,
    ) -> None:
        self._order, self._logprobs, self._vocabulary = order, logprobs, vocabulary
        self._own = model_logprobs

    def __len__(self) -> int:
        return len(self._order)

    def made(self, plain: dict[str, object]) -> NextChar:
        return NextChar.model_validate(plain)

    def plain(self, start: int, stop: int) -> list[dict[str, object]]:
        ids, logprobs = self._order[start:stop].tolist(), self._logprobs[start:stop].tolist()
        rows = [self._row(symbol_id, logprob) for symbol_id, logprob in zip(ids, logprobs, strict=True)]
        if self._own is not None:
            for row, logprob in zip(rows, self._own[start:stop].tolist(), strict=True):
                row["model_logprob"] = logprob
        return rows

    def _row(self, symbol_id: int, logprob: float) -> dict[str, object]:
        vocabulary, special = self._vocabulary, self._vocabulary.special(symbol_id)
        row: dict[str, object] = {
            "char": None if special else vocabulary.shown(vocabulary.characters[symbol_id]),
            "id": symbol_id,
            "logprob": logprob,
            "probability": math.exp(logprob),
        }
        if special:
            row["special"] = special
        return row


class ScoreRows(Rows[Score]):
    """Lists the scores of strings; each column has a value per string, and an optional one may have None."""

    _REQUIRED = ("logprob", "bits_per_char", "perplexity", "num_chars", "num_unknown")
    _OPTIONAL = ("percentile", "p_value", "model_logprob")  # left out where they are None

    def __init__(self) -> None:
        """Keeps no score yet."""
        self._columns: dict[str, list[Any]] = {name: [] for name in self._REQUIRED + self._OPTIONAL}

    def extend(self, **columns: list[Any]) -> None:
        """Adds the scores of some more strings, all columns of them."""
        for name, column in self._columns.items():
            column += columns[name]

    def __len__(self) -> int:
        return len(self._columns["logprob"])

    def column(self, name: str) -> list[Any]:
        """Returns one value of each string."""
        return self._columns[name]

    def made(self, plain: dict[str, object]) -> Score:
        return Score.model_validate(plain)

    def plain(self, start: int, stop: int) -> list[dict[str, object]]:
        columns = (self._columns[name][start:stop] for name in self._REQUIRED)
        rows: list[dict[str, object]] = [
            {
                "index": index,
                "logprob": logprob,
                "bits_per_char": bits,
                "perplexity": perplexity,
                "num_chars": num_chars,
                "num_unknown": num_unknown,
            }
            for index, logprob, bits, perplexity, num_chars, num_unknown in zip(
                range(start, stop), *columns, strict=True
            )
        ]
        for name in self._OPTIONAL:
            for row, value in zip(rows, self._columns[name][start:stop], strict=True):
                if value is not None:
                    row[name] = value
        return rows
