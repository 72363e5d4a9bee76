"""Brings text into the form in which a model reads it: newlines, case, Unicode form.

These are the rules for training and for every API, written once. A text may come in pieces, as the feeds of a
session do: newlines and case are then the same as those of the whole.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

Normalization = Literal["none", "NFC"]
CaseFolding = Literal["none", "lower"]


@dataclass(frozen=True, slots=True)
class TextForm:
    """The form of a model's texts.

    A model that has learnt carriage returns reads them as they are (`keeps_returns`). Any other model reads
    CR and CRLF as LF, which is what training has made of them.
    """

    normalization: Normalization = "none"
    case_folding: CaseFolding = "none"
    keeps_returns: bool = False

    def of(self, text: str, *, after_return: bool = False) -> str:
        """Returns the text in this form; `after_return` as of `unix_newlines`."""
        if not self.keeps_returns:
            text = unix_newlines(text, after_return=after_return)
        text = fold_case(text, self.case_folding)
        return text if self.normalization == "none" else unicodedata.normalize(self.normalization, text)

    def ends_in_return(self, text: str, *, after_return: bool = False) -> bool:
        """Returns whether a text, or that before an empty one, ended in a CR that was read as a newline."""
        return not self.keeps_returns and ends_in_return(text, after_return=after_return)


def unix_newlines(text: str, *, after_return: bool = False) -> str:
    """Returns the text with an LF for each CRLF and CR.

    With `after_return` the text before ended in a CR, which was read as LF: an LF here at the start is the
    other half of a CRLF and is left out.
    """
    if after_return:
        text = text.removeprefix("\n")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def ends_in_return(text: str, *, after_return: bool = False) -> bool:
    """Returns whether a text ends in CR; an empty one as the text before it."""
    return text.endswith("\r") if text else after_return


class NewlineReader:
    """Reads the newlines of a text that comes in pieces.

    `io.IncrementalNewlineDecoder` would hold a CR back until the next piece: a line that ends in CR would
    come late from a terminal.
    """

    def __init__(self) -> None:
        self._after_return = False

    def read(self, piece: str) -> str:
        """Returns the next piece with an LF for each CRLF and CR."""
        unified = unix_newlines(piece, after_return=self._after_return)
        self._after_return = ends_in_return(piece, after_return=self._after_return)
        return unified


def fold_case(text: str, folding: CaseFolding) -> str:
    """Returns the text in lower case, if that is the folding: each character by itself.

    `str.lower` makes a final sigma of one at the end of a word. Where a word ends is not known in a text that
    comes in pieces, so here every capital sigma is the other one.
    """
    return text if folding == "none" else text.replace("\u03a3", "\u03c3").lower()
