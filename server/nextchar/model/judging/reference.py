"""Holds n-gram models of bad strings, the references of a judge, and packs them into a file. Pure NumPy.

A reference has the probability of a string of n characters as q(n) · Π q(character | the ones before): a
distribution of lengths, and an interpolated n-gram model without an end symbol. Programs that make strings
often fix their length, which an n-gram with an end symbol cannot know.

The n-grams of one length k are stored by their keys, sorted: (index of the gram's last k - 1 symbols) · base
+ its first symbol. `ReferenceSet` looks them up, from the shortest on, with the back-off weights of ARPA
files.
"""

import io
import zlib
from dataclasses import dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nextchar.model.vocabulary import Ids

Floats = NDArray[np.float32]
# What NumPy and zipfile raise for a file that is another or is damaged.
UNREADABLE = (BadZipFile, zlib.error, OSError, EOFError, LookupError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True)
class Grams:
    """The n-grams of one length: sorted keys, log p of the last symbol, log of the back-off weight."""

    keys: Ids
    logprobs: Floats
    backoffs: Floats


@dataclass(frozen=True)
class Reference:
    """An n-gram model of one kind of bad strings, over the ids of the normal model's vocabulary.

    `lengths[n]` is the log-probability of n characters; longer strings have that of the last entry. It is
    empty for a normal model without an end symbol, which gives no probability to a length either.
    `unseen` is log p of a character that is in none of the bad strings.
    """

    name: str
    begin_id: int
    unseen: float
    grams: tuple[Grams, ...]
    lengths: Floats


def references_to_bytes(references: list[Reference]) -> bytes:
    """Packs references into the content of `references.npz`."""
    arrays: dict[str, Any] = {"names": np.array([r.name for r in references], dtype=np.str_)}
    for i, reference in enumerate(references):
        arrays[f"{i}_unseen"] = np.array(reference.unseen)
        arrays[f"{i}_begin_id"], arrays[f"{i}_lengths"] = np.array(reference.begin_id), reference.lengths
        for k, grams in enumerate(reference.grams):
            steps = np.diff(grams.keys, prepend=0)  # they compress better than the keys
            arrays |= {f"{i}_{k}_steps": steps.astype(np.uint32) if steps.max() < 2**32 else steps}
            arrays |= {f"{i}_{k}_logprobs": grams.logprobs, f"{i}_{k}_backoffs": grams.backoffs}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def references_from_bytes(content: bytes) -> list[Reference]:
    """Unpacks `references.npz`; raises one of `UNREADABLE` if it is something else."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return [_unpacked(arrays, i, str(name)) for i, name in enumerate(arrays["names"])]


def _unpacked(arrays: Any, i: int, name: str) -> Reference:
    order = sum(f"{i}_{k}_steps" in arrays for k in range(64))
    grams = tuple(
        Grams(
            np.cumsum(arrays[f"{i}_{k}_steps"], dtype=np.int64),
            arrays[f"{i}_{k}_logprobs"],
            arrays[f"{i}_{k}_backoffs"],
        )
        for k in range(order)
    )
    return Reference(
        name, int(arrays[f"{i}_begin_id"]), float(arrays[f"{i}_unseen"]), grams, arrays[f"{i}_lengths"]
    )
