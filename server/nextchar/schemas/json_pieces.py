"""Writes an answer as JSON in pieces, the same bytes that pydantic writes in one.

pydantic holds the interpreter for as long as it writes. The pieces of a large answer let other work run in
between, and are sent as they are made, so that the text is never in memory as a whole.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from nextchar.schemas.rows import Rows, blocks, is_long

_PIECE_BYTES = 32 * 1024
IN_PIECES_BYTES = 256 * 1024  # an answer that may be larger is written in pieces


def json_pieces(answer: BaseModel) -> Iterator[bytes]:
    """Yields the JSON of an answer in pieces of about 32 KiB."""
    held: list[bytes] = []
    size = 0
    for part in _model(answer):
        held.append(part)
        size += len(part)
        if size >= _PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _model(answer: BaseModel) -> Iterator[bytes]:
    """Yields the parts of an object in their order: its short fields together, each long one by itself."""
    opening, short = b"{", list[str]()
    for name, value in answer:
        if not is_long(value):
            short.append(name)
            continue
        if text := _short(answer, short):
            yield opening + text
            opening = b","
        yield opening + b'"' + name.encode() + b'":'
        yield from _list(value) if isinstance(value, Rows | list) else _model(value)
        opening, short = b",", []
    if text := _short(answer, short):
        yield opening + text
    yield b"{}" if opening == b"{" and not text else b"}"


def _short(answer: BaseModel, names: list[str]) -> bytes:
    """Returns fields as pydantic writes them, without the braces; nothing for those that it leaves out."""
    return answer.model_dump_json(include=set(names)).encode()[1:-1] if names else b""


def _list(values: Rows[Any] | list[Any]) -> Iterator[bytes]:
    yield b"["
    opening = b""
    for block in blocks(values):
        if any(map(is_long, block)):
            for value in block:
                yield opening
                yield from _list(value) if isinstance(value, Rows | list) else _model(value)
                opening = b","
        elif block:
            yield opening + to_json(block, inf_nan_mode="null")[1:-1]
        opening = b","
    yield b"]"
