"""Keeps what was computed for a file that is not finished, so that an interrupted run can go on.

The output itself is written anew: the rows that are here need no model, and the same rows with the same
columns make the same bytes in every format, compressed or not. The file is a line of JSON that says what the
values depend on, then a record per block: its length, CRC and a digest of its strings, then the columns. A
record that was not written to its end is dropped.
"""

import fcntl
import hashlib
import io
import json
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.batch.annotator import Faults
from nextchar.batch.column import Column, Filled
from nextchar.batch.files.block import Block
from nextchar.errors import InvalidRequest

_HEAD = struct.Struct("<II16s")
_FAST = 1  # of the levels of zlib: the journal takes a core from the model, and is removed at the end
Record = tuple[list[Filled], Faults]


class Journal:
    """The journal of one output file; as a context manager it is kept if an error ends the run."""

    def __init__(
        self, path: Path, wanted: dict[str, Any], columns: Sequence[Column], *, resume: bool
    ) -> None:
        """Opens the journal, or begins one.

        Raises:
            InvalidRequest: another run writes it; or there is one and it is not to be resumed, or it is of
                another model or other arguments.
            OSError: it cannot be written.
        """
        self._path, self._columns = path, columns
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._begin(wanted, resume=resume)
        except BlockingIOError:
            self._file.close()
            raise InvalidRequest(f"another run is writing {path.stem!r}: wait for it") from None
        except BaseException:
            self._file.close()
            raise
        self._is_replaying, self._first_record = True, self._file.tell()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Removes the journal of a run that has finished, or of one that has nothing to go on from."""
        if kind is None or self._path.stat().st_size <= self._first_record:
            self._path.unlink(missing_ok=True)
        try:
            self._file.close()
        except OSError:  # the disk is full, which is what ended the run
            if kind is None:
                raise

    def _begin(self, wanted: dict[str, Any], *, resume: bool) -> None:
        self._file.seek(0)
        first = self._file.readline()
        if first and not resume:
            raise InvalidRequest(
                f"{str(self._path)!r} is of an interrupted run: go on with it by --resume, or begin again by "
                "--overwrite"
            )
        if not first.endswith(b"\n"):
            self._file.truncate(0)
            self._file.write(json.dumps(wanted).encode() + b"\n")
            self._file.flush()
            return
        try:
            found = dict(json.loads(first))
        except ValueError:
            raise InvalidRequest(f"{str(self._path)!r} is not of an interrupted run: remove it") from None
        if different := [name for name in wanted if found.get(name) != wanted[name]]:
            raise InvalidRequest(
                f"the interrupted run had another {' and '.join(different)}: give what it was given, or "
                "begin again by --overwrite"
            )

    def replayed(self, block: Block) -> Record | None:
        """Returns what was computed for the next block; None from the first on that is not here.

        Raises:
            InvalidRequest: other strings were read then.
        """
        if not self._is_replaying:
            return None
        place = self._file.tell()
        record = self._read()
        if record is None:
            self._is_replaying = False
            self._file.truncate(place)
            self._file.seek(place)
            return None
        digest, payload = record
        if digest != _digest(block):
            raise InvalidRequest(
                f"the input is not that of the interrupted run: it differs between {block.numbers[0]} and "
                f"{block.numbers[-1]}; begin again by --overwrite"
            )
        return self._unpacked(payload)

    def append(self, block: Block, added: Sequence[Filled], faults: Faults) -> None:
        """Keeps what was computed for a block."""
        payload = _packed(added, faults)
        head = _HEAD.pack(len(payload), zlib.crc32(payload), _digest(block))
        self._file.write(head + payload)
        self._file.flush()

    def _read(self) -> tuple[bytes, bytes] | None:
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        size, crc, digest = _HEAD.unpack(head)
        payload = self._file.read(size)
        return (digest, payload) if len(payload) == size and zlib.crc32(payload) == crc else None

    def _unpacked(self, payload: bytes) -> Record:
        with np.load(io.BytesIO(zlib.decompress(payload)), allow_pickle=False) as arrays:
            filled = []
            for i, column in enumerate(self._columns):
                values = arrays[f"values_{i}"]
                present = arrays[f"present_{i}"]
                if column.kind == "string":
                    filled.append(column.filled(_texts(values, present)))
                else:
                    filled.append(Filled(column, values, present))
            faults = json.loads(str(arrays["faults"]))
        return filled, {int(i): why for i, why in faults.items()}


def _packed(added: Sequence[Filled], faults: Faults) -> bytes:
    arrays: dict[str, Any] = {"faults": np.array(json.dumps(faults))}
    for i, filled in enumerate(added):
        is_text = filled.column.kind == "string"
        values = np.array([item or "" for item in filled.items()]) if is_text else filled.values
        arrays |= {f"values_{i}": values, f"present_{i}": filled.present}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return zlib.compress(packed.getvalue(), _FAST)


def _texts(values: Any, present: Any) -> list[str | None]:
    pairs = zip(values.tolist(), present.tolist(), strict=True)
    return [value if there else None for value, there in pairs]


def _digest(block: Block) -> bytes:
    return hashlib.blake2b(json.dumps(block.texts).encode(), digest_size=16).digest()


def journal_path(output: str) -> Path:
    """Returns where the journal of an output file is."""
    return Path(f"{os.fspath(output)}.progress")
