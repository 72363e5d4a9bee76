"""Encodes characters as ids and decodes them, with a policy for everything that is not a known character.

Ids run over the characters in order, then the special symbols that the policies require:

    0 … n-1            the characters
    unknown            if `unknown == "symbol"`: stands for any other character
    end                if `unit == "line"`: the end of a string
    begin              always last: read before the first character

`begin` is read and never predicted, so a model has `num_inputs` input ids and `num_outputs` =
`num_inputs - 1` output ids, and a distribution is a row of `num_outputs` numbers that sums to 1.

A vocabulary of bytes has all 256 bytes in place of characters. Internally, a byte is the character with its
number (U+0000 to U+00FF), so that the rest of the program handles one kind of text; `normalize` converts a
client's text to it, `TextDecoder` converts it back.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.model.strings import Ids as Ids
from nextchar.model.strings import Strings
from nextchar.model.text_form import CaseFolding, Normalization, TextForm, fold_case

_BYTES = tuple(map(chr, range(256)))
_MISSING = -1  # in the code-point table: outside the vocabulary, which has no symbol for that


@dataclass(frozen=True)
class Vocabulary:
    """An ordered set of characters and the policies around it. Immutable; equal by value."""

    characters: tuple[str, ...]
    unit: Literal["text", "line"] = "text"
    unknown: Literal["symbol", "refuse"] = "symbol"
    normalization: Normalization = "none"
    symbols: Literal["characters", "bytes"] = "characters"
    case_folding: CaseFolding = "none"

    def __post_init__(self) -> None:
        if self.symbols == "bytes" and (self.characters != _BYTES or self.unknown != "refuse"):
            raise ValueError("a vocabulary of bytes must have all 256 bytes and unknown 'refuse'")
        if self.symbols == "bytes" and self.case_folding != "none":
            raise ValueError("a vocabulary of bytes must have case_folding 'none'")
        if not self.characters:
            raise ValueError("a vocabulary needs at least one character")
        if any(len(c) != 1 for c in self.characters):
            raise ValueError("every vocabulary entry must be exactly one character")
        if len(set(self.characters)) != len(self.characters):
            raise ValueError("vocabulary characters must be distinct")
        if unread := next((c for c in self.characters if fold_case(c, self.case_folding) != c), None):
            raise ValueError(f"case_folding {self.case_folding!r} leaves no text with {unread!r}")

    @property
    def unknown_id(self) -> int | None:
        return len(self.characters) if self.unknown == "symbol" else None

    @property
    def end_id(self) -> int | None:
        if self.unit != "line":
            return None
        return len(self.characters) + (self.unknown == "symbol")

    @property
    def num_outputs(self) -> int:
        """The number of symbols that can be predicted: characters, unknown, end."""
        return len(self.characters) + (self.unknown == "symbol") + (self.unit == "line")

    @property
    def begin_id(self) -> int:
        return self.num_outputs

    @property
    def num_inputs(self) -> int:
        """The number of symbols that can be read: all that can be predicted, and begin."""
        return self.num_outputs + 1

    @cached_property
    def _by_code_point(self) -> Ids:
        """Ids by code point; the last entry is also that of all code points after it."""
        code_points = [ord(c) for c in self.characters]
        other = _MISSING if self.unknown_id is None else self.unknown_id
        table = np.full(max(code_points) + 2, other, dtype=np.int64)
        table[code_points] = np.arange(len(code_points))
        return table

    @property
    def told_folding(self) -> CaseFolding | None:
        """The case folding as answers tell it: not at all if there is none."""
        return None if self.case_folding == "none" else self.case_folding

    @cached_property
    def form(self) -> TextForm:
        """The form in which the model reads text."""
        keeps_returns = "\r" in self.characters  # or the model has never seen one; bytes are all known
        return TextForm(self.normalization, self.case_folding, keeps_returns)

    def normalize(self, text: str, *, after_return: bool = False) -> str:
        """Returns the text in the form that the model was trained on; as bytes, if the vocabulary is.

        `after_return` says that the text before it ended in a carriage return which was read as a newline.
        """
        if self.symbols == "bytes":
            return text.encode("utf-8", "surrogatepass").decode("latin-1")
        return self.form.of(text, after_return=after_return)

    def encode(self, text: str, *, after_return: bool = False) -> Ids:
        """Returns the ids of the normalised text, int64 [len]; characters outside are `unknown_id`.

        Raises:
            KeyError: a character is outside the vocabulary and `unknown` is "refuse";
                its argument is the first such character.
        """
        return self._look_up(self.normalize(text, after_return=after_return))

    def encode_all(self, texts: Sequence[str], *, after_return: bool = False) -> list[Ids]:
        """Returns the ids of each text, as `encode` does, with one look-up for all.

        Raises:
            KeyError: as `encode`.
        """
        return list(self.encode_strings(texts, after_return=after_return))

    def encode_strings(self, texts: Sequence[str], *, after_return: bool = False) -> Strings:
        """Returns what `encode_all` does in one array.

        Raises:
            KeyError: as `encode`.
        """
        joined = "".join(texts)
        # Of ASCII the form changes only returns and capitals; where there is no return, no length changes.
        if joined.isascii() and "\r" not in joined and not after_return:
            normal, pieces = self.normalize(joined), texts
        else:
            pieces = [self.normalize(text, after_return=after_return) for text in texts]
            normal = "".join(pieces)
        lengths = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
        return Strings(self._look_up(normal), lengths)

    def _look_up(self, normal: str) -> Ids:
        if not normal:
            return np.empty(0, dtype=np.int64)
        # surrogatepass: the APIs refuse a lone surrogate; here it is one more unknown character.
        return self.encode_code_points(
            np.frombuffer(normal.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        )

    def encode_code_points(self, code_points: NDArray[np.uint32]) -> Ids:
        """Returns the ids of characters in their normal form, given as code points.

        Raises:
            KeyError: as `encode`.
        """
        ids = self._by_code_point.take(code_points, mode="clip")
        if self.unknown_id is None:
            missing = ids == _MISSING
            if missing.any():
                raise KeyError(chr(code_points[int(missing.argmax())]))
        return ids

    def decode(self, ids: Ids | list[int]) -> str:
        """Returns the text of ids; unknown is U+FFFD, begin and end are empty."""
        return TextDecoder(self).decode("".join(map(self.texts.__getitem__, map(int, ids))), final=True)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The character of each id in normal form; U+FFFD for unknown, empty for end and begin."""
        unknown = ("\N{REPLACEMENT CHARACTER}",) * (self.unknown == "symbol")
        return (*self.characters, *unknown, *("",) * (self.num_inputs - len(self.characters) - len(unknown)))

    def shown(self, character: str) -> str:
        """Returns a character in normal form as clients see it: a byte beyond ASCII is `bytes:\\xe9`."""
        raw = self.symbols == "bytes" and not character.isascii()
        return f"bytes:\\x{ord(character):02x}" if raw else character

    def special(self, symbol_id: int) -> str | None:
        """Returns "unknown" or "end" for those symbols, None for a character."""
        if symbol_id == self.unknown_id:
            return "unknown"
        return "end" if symbol_id == self.end_id else None

    def label(self, symbol_id: int) -> str:
        """Returns a text for every symbol, as a key of tables: the character, or `<|unknown|>`, `<|end|>`."""
        special = self.special(symbol_id)
        return f"<|{special}|>" if special else self.shown(self.characters[symbol_id])

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The label of each symbol that can be predicted, by id."""
        return tuple(map(self.label, range(self.num_outputs)))


class TextDecoder:
    """Converts text in normal form, piece by piece, to text for a client."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        bytewise = vocabulary.symbols == "bytes"
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace") if bytewise else None

    def decode(self, piece: str, *, final: bool = False) -> str:
        """Returns the text so far; an incomplete character is held back for the rest of it, until `final`."""
        return piece if self._utf8 is None else self._utf8.decode(piece.encode("latin-1"), final)
