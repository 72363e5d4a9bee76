"""Measures how well the standard library's compressors predict held-out text: a baseline.

The loss of a compressor is the number of bytes that the held-out text adds to the text before it:
size(before + held out) - size(before).
"""

import bz2
import lzma
import math
import zlib
from collections.abc import Callable

from nextchar_training.text.code_points import Symbols, Text

MAX_BEFORE_CHARS = 8_000_000  # of the text before; the longest memory of the three is 64 MiB

_COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "zlib-9": lambda raw: zlib.compress(raw, 9),
    "bzip2-9": lambda raw: bz2.compress(raw, 9),
    "xz-9": lambda raw: lzma.compress(raw, preset=9),
}


def compressed_nats(before: Text, heldout: Text, symbols: Symbols) -> dict[str, float]:
    """Returns the nats of all of `heldout` by compressor, after the last 8 million characters before it."""
    known, new = (_raw(text, symbols) for text in (before[max(0, len(before) - MAX_BEFORE_CHARS) :], heldout))
    return {
        name: 8 * math.log(2) * (len(compress(known + new)) - len(compress(known)))
        for name, compress in _COMPRESS.items()
    }


def _raw(text: Text, symbols: Symbols) -> bytes:
    return str(text).encode("latin-1" if symbols == "bytes" else "utf-8", "surrogatepass")
