"""Tells the values of a column that are strings from those that are none."""

import math
from collections.abc import Iterable
from typing import Any

from nextchar.batch.annotator import Faults

_FIRST_ESCAPED, _LAST_ESCAPED = 0xDC80, 0xDCFF  # as Python decodes a wrong byte with "surrogateescape"


def read_texts(values: Iterable[Any]) -> tuple[list[str | None], Faults]:
    """Returns the strings among the values, None for the others, and why those are none."""
    texts, faults = list[str | None](), Faults()
    for i, value in enumerate(values):
        if fault := _fault_of(value):
            faults[i] = fault
        texts.append(None if fault else value)
    return texts, faults


def _fault_of(value: Any) -> str | None:
    if isinstance(value, str):
        return None if value.isascii() else _wrong_character(value)
    if value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value)):
        return "is null"
    return f"holds {value!r:.40}, which is no string"


def _wrong_character(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if _FIRST_ESCAPED <= code <= _LAST_ESCAPED:
            return f"is not UTF-8: it has the byte 0x{code - 0xDC00:02x}"
        return f"holds U+{code:04X}, half of a surrogate pair"
    return None
