"""Seals a session's state into bytes that only this server's key can make, for one owner and one model.

    zlib( length of header 4 | header JSON | arrays | memories )

is what a seal holds (`nextchar.security.seal`).

A key of the header that a version does not know is left out, and one that came later may be missing: servers
of two versions can share a store while one follows the other. The state of an adaptive session has a magic of
its own: a server that does not know memories refuses it, where it would go on without.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.adaptive.packing import pack_memories, unpack_memories
from nextchar.engine.lane import LaneState
from nextchar.security.seal import Seal
from nextchar.service.sessions.state import Marks, SessionState, Snapshot

MAGIC, ADAPTIVE_MAGIC = b"NCS3", b"NCS4"
_ZLIB_HEADER = b"\x78\x01"  # the fastest level
_MAX_BYTES = 1 << 28
_LENGTH = struct.Struct("<I")

Shapes = Mapping[str, tuple[np.dtype[Any], int]]  # of one lane's state, by input name


class StateCodec:
    """Seals and opens states with one key."""

    def __init__(self, key: bytes) -> None:
        self._seal = Seal(key)

    def seal(self, state: SessionState, *, owner: str, digest: str) -> bytes:
        """Returns the bytes of a state."""
        arrays: list[NDArray[Any]] = []
        memories = _packed_memories(state)
        header = json.dumps(
            _header(state, arrays) | ({"memory_bytes": len(memories)} if memories else {}),
            separators=(",", ":"),
        ).encode()
        recent, drawn_before, *states = (array.tobytes() for array in arrays)
        noise = b"".join([*states, memories])
        packed = _pack(b"".join([_LENGTH.pack(len(header)), header, recent, drawn_before]), noise)
        magic = ADAPTIVE_MAGIC if memories else MAGIC
        return self._seal.close(packed, magic=magic, owner=owner, digest=digest)

    def open(self, sealed: bytes, *, owner: str, digest: str, shapes: Shapes) -> SessionState:
        """Returns the state of bytes that `seal` made for the same owner and model.

        Raises:
            StateModelMismatch: they were made for another model, or another version of it.
            StateInvalid: they are anything else.
        """
        packed = self._seal.open(
            sealed, magics=(MAGIC, ADAPTIVE_MAGIC), owner=owner, digest=digest, of="model"
        )
        return _parse(zlib.decompressobj().decompress(packed, _MAX_BYTES), shapes)


def _pack(ids: bytes, states: bytes) -> bytes:
    """Returns one zlib stream: ids are compressed; states, which are noise, are stored as they are."""
    ids_stream = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    states_stream = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
    body = ids_stream.compress(ids) + ids_stream.flush(zlib.Z_FULL_FLUSH)
    body += states_stream.compress(states) + states_stream.flush()
    return _ZLIB_HEADER + body + zlib.adler32(states, zlib.adler32(ids)).to_bytes(4, "big")


def _header(state: SessionState, arrays: list[NDArray[Any]]) -> dict[str, Any]:
    """Returns all but the arrays, and appends these in the order they are read. Writes each snapshot once."""
    arrays += [state.recent.astype("<i4"), state.drawn_before.astype("<i8")]
    snapshots = _snapshots(state)
    numbers = {id(snapshot): number for number, snapshot in enumerate(snapshots)}
    header = {
        "seed": state.seed,
        "num_recent": len(state.recent),
        "marks": [_values(snapshot, arrays) for snapshot in snapshots],
        "here": numbers[id(state.here)],
        "anchor": numbers[id(state.anchor)],
        "checkpoints": {name: numbers[id(snapshot)] for name, snapshot in state.checkpoints.items()},
    }
    after_return = [number for number, snapshot in enumerate(snapshots) if snapshot.after_return]
    return {**header, "after_return": after_return} if after_return else header


def _snapshots(state: SessionState) -> list[Snapshot]:
    """Returns the different snapshots of a state."""
    every = (state.here, state.anchor, *state.checkpoints.values())
    return list({id(snapshot): snapshot for snapshot in every}.values())


def _packed_memories(state: SessionState) -> bytes:
    """Returns the bytes of the memories of an adaptive session's snapshots, in their order; else none."""
    memories = [snapshot.memory for snapshot in _snapshots(state) if snapshot.memory is not None]
    return pack_memories(memories) if memories else b""


def _values(snapshot: Snapshot, arrays: list[NDArray[Any]]) -> list[int | None]:
    state = snapshot.state
    if state is not None:
        arrays += [state.arrays[name] for name in sorted(state.arrays)]
    return [snapshot.position, snapshot.num_drawn, None if state is None else state.last_id]


def _parse(content: bytes, shapes: Shapes) -> SessionState:
    (length,) = _LENGTH.unpack_from(content)
    header = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    reader = _Reader(content, _LENGTH.size + length, shapes)
    recent = reader.array(np.dtype("<i4"), header["num_recent"]).astype(np.int64)
    drawn_before = reader.array(np.dtype("<i8"), header["num_recent"]).astype(np.int64)
    snapshots = [reader.snapshot(values) for values in header["marks"]]
    for number in header.get("after_return", ()):  # most states have none
        snapshots[number] = replace(snapshots[number], after_return=True)
    if "memory_bytes" in header:
        memories = unpack_memories(reader.rest(header["memory_bytes"]))
        snapshots = [
            replace(snapshot, memory=memory) for snapshot, memory in zip(snapshots, memories, strict=True)
        ]
    checkpoints = {name: snapshots[number] for name, number in header["checkpoints"].items()}
    here, anchor = snapshots[header["here"]], snapshots[header["anchor"]]
    learned = _learned(here, len(recent))
    return SessionState(header["seed"], here, anchor, recent, drawn_before, checkpoints, learned)


def _learned(here: Snapshot, num_recent: int) -> Marks | None:
    """Returns which of the recent characters a memory has learned, which remembers more than these."""
    if here.memory is None or not num_recent:
        return None
    learned = here.memory.learned[-num_recent:]
    assert len(learned) == num_recent
    return None if learned.all() else learned


class _Reader:
    def __init__(self, content: bytes, offset: int, shapes: Shapes) -> None:
        self._content, self._offset, self._shapes = content, offset, shapes

    def array(self, dtype: np.dtype[Any], size: int) -> NDArray[Any]:
        values = np.frombuffer(self._content, dtype, size, self._offset)
        self._offset += values.nbytes
        return values

    def rest(self, size: int) -> bytes:
        return self._content[self._offset : self._offset + size]

    def snapshot(self, values: list[int | None]) -> Snapshot:
        position, num_drawn, last_id = values
        assert position is not None
        assert num_drawn is not None
        if last_id is None:
            return Snapshot(position, num_drawn)
        return Snapshot(position, num_drawn, LaneState(last_id, dict(self._arrays())))

    def _arrays(self) -> Iterator[tuple[str, NDArray[Any]]]:
        for name in sorted(self._shapes):
            dtype, size = self._shapes[name]
            yield name, self.array(dtype, size)


def state_bytes(state: SessionState) -> int:
    """Counts the bytes of all states, memories and ids of a session, before they are compressed."""
    memories = [snapshot.memory for snapshot in _snapshots(state) if snapshot.memory is not None]
    states = [snapshot.state for snapshot in _snapshots(state) if snapshot.state is not None]
    arrays = [array for lane_state in states for array in lane_state.arrays.values()]
    remembered = sum(memory.num_bytes for memory in memories)
    return sum(array.nbytes for array in arrays) + remembered + 12 * len(state.recent)


def ahead_bytes(state: SessionState) -> int:
    """Counts the bytes that the states of a session take in memory beside what is stored."""
    states = [snapshot.state for snapshot in _snapshots(state) if snapshot.state is not None]
    return sum(found.ahead.num_bytes for found in states if found.ahead is not None)
