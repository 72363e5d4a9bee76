"""Packs the memories of one session into few bytes: text that they share once, weights as differences.

    zlib( length of header 4 | header JSON | symbols of texts | bits of `learned`, if any is off | weights )

Most of it is the text, compressed. Weights are int16 differences, modulo 2^16: of the first memory from those
of an empty one and of each later memory from those before it, then of each order from the order before, which
has learned much the same. Small ones of either sign become small numbers (zigzag), and low bytes come first,
then the high ones, which are mostly 0.
"""

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.memory import Memory
from nextchar.engine.adaptive.mixture import NUM_ROWS, first_weights
from nextchar.engine.adaptive.options import NUM_ORDERS, Adaptive
from nextchar.engine.adaptive.step_mixer import NUM_WEIGHTS

_LENGTH = struct.Struct("<I")
_LEVEL = 9
_EARLIER, _LATER = slice(1, NUM_ORDERS), slice(2, NUM_ORDERS + 1)  # the weights of orders
_MAX_BYTES = 1 << 26


@dataclass(slots=True)
class _Text:
    """A run of symbols from position `first` on that one or more memories remember parts of."""

    first: int
    ids: NDArray[np.uint16]
    learned: NDArray[np.bool_]

    def joined(self, memory: Memory) -> bool:
        """Extends this text by a memory's; returns False where the two disagree or do not touch."""
        last, first = min(self.first + len(self.ids), memory.position), max(self.first, memory.first)
        if last < first:
            return False
        mine, its = (
            slice(first - self.first, last - self.first),
            slice(first - memory.first, last - memory.first),
        )
        if not np.array_equal(self.ids[mine], memory.ids[its]):
            return False
        if not np.array_equal(self.learned[mine], memory.learned[its]):
            return False
        before, after = max(0, self.first - memory.first), last - memory.first
        self.ids = np.concatenate([memory.ids[:before], self.ids, memory.ids[after:]])
        self.learned = np.concatenate([memory.learned[:before], self.learned, memory.learned[after:]])
        self.first -= before
        return True


def pack_memories(memories: Sequence[Memory]) -> bytes:
    """Returns the bytes of memories that were kept with the same options, none or some."""
    texts: list[_Text] = []
    numbers = [_place(texts, memory) for memory in memories]
    wide = any(len(text.ids) and int(text.ids.max()) > 255 for text in texts)
    header: dict[str, Any] = {
        "marks": [
            [number, memory.first, memory.position] for number, memory in zip(numbers, memories, strict=True)
        ],
        "texts": [[text.first, len(text.ids)] for text in texts],
        "bytes": 2 if wide else 1,
        "all": all(bool(text.learned.all()) for text in texts),
    }
    if memories:
        header["adaptive"] = asdict(memories[0].adaptive)
        assert all(memory.adaptive == memories[0].adaptive for memory in memories)
    told = json.dumps(header, separators=(",", ":")).encode()
    parts = [_LENGTH.pack(len(told)), told]
    parts += [text.ids.astype("<u2" if wide else "u1").tobytes() for text in texts]
    if not header["all"]:
        parts += [np.packbits(text.learned).tobytes() for text in texts]
    stream = zlib.compressobj(_LEVEL)
    text = stream.compress(b"".join(parts)) + stream.flush(
        zlib.Z_FULL_FLUSH
    )  # weights have codes of their own
    return text + stream.compress(_weight_bytes(memories)) + stream.flush()


def _place(texts: list[_Text], memory: Memory) -> int:
    """Adds a memory's text to those there are; returns the number of the one that holds it."""
    for number, text in enumerate(texts):
        if text.joined(memory):
            return number
    texts.append(_Text(memory.first, memory.ids, memory.learned))
    return len(texts) - 1


def _weight_bytes(memories: Sequence[Memory]) -> bytes:
    weights = np.array([first_weights(), *(memory.weights for memory in memories)], dtype="<i2")
    steps = np.diff(weights, axis=0)
    steps[:, :, _LATER] -= steps[:, :, _EARLIER].copy()
    folded = (steps << 1) ^ (steps >> 15)
    planes = np.ascontiguousarray(folded.transpose(0, 2, 1)).ravel().view(np.uint8).reshape(-1, 2)
    return planes.T.tobytes()


def _weights(content: bytes, count: int) -> NDArray[np.int16]:
    """Returns the weights [count, NUM_ROWS, NUM_WEIGHTS] of what `_weight_bytes` made."""
    planes = np.frombuffer(content, np.uint8, 2 * count * NUM_ROWS * NUM_WEIGHTS).reshape(2, -1)
    folded = (
        np.ascontiguousarray(planes.T).view("<u2").reshape(count, NUM_WEIGHTS, NUM_ROWS).transpose(0, 2, 1)
    )
    steps = ((folded >> 1) ^ (0 - (folded & 1))).astype(np.uint16).view(np.int16)
    orders = steps[:, :, 1 : NUM_ORDERS + 1]
    np.cumsum(orders, axis=2, dtype=np.int16, out=orders)
    weights: NDArray[np.int16] = np.cumsum(
        np.concatenate([first_weights()[None], steps]), axis=0, dtype=np.int16
    )[1:]
    return weights


def unpack_memories(packed: bytes) -> list[Memory]:
    """Returns the memories whose bytes `pack_memories` made; the caller has checked that it did."""
    stream = zlib.decompressobj()
    content = stream.decompress(packed, _MAX_BYTES)
    assert stream.eof, "packed memories are cut off, or too large"
    (length,) = _LENGTH.unpack_from(content)
    at = _LENGTH.size + length
    header = json.loads(content[_LENGTH.size : at])
    texts = []
    for first, count in header["texts"]:
        ids = np.frombuffer(content, "<u2" if header["bytes"] == 2 else "u1", count, at).astype(np.uint16)
        at += count * header["bytes"]
        texts.append(_Text(first, ids, np.ones(count, dtype=np.bool_)))
    if not header["all"]:
        for text in texts:
            bits = np.frombuffer(content, np.uint8, (len(text.ids) + 7) // 8, at)
            text.learned = np.unpackbits(bits, count=len(text.ids)).astype(np.bool_)
            at += len(bits)
    weights = _weights(content[at:], len(header["marks"]))
    return [
        _memory(header, texts[number], first, position, weights[k])
        for k, (number, first, position) in enumerate(header["marks"])
    ]


def _memory(
    header: dict[str, Any], text: _Text, first: int, position: int, weights: NDArray[np.int16]
) -> Memory:
    options = header["adaptive"]
    adaptive = Adaptive(**{**options, "orders": tuple(options["orders"])})
    held = slice(first - text.first, position - text.first)
    return Memory(adaptive, position, text.ids[held], text.learned[held], weights)
