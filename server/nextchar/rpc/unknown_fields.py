"""Fields of a message that its type does not have: refused, as in the body of a REST request.

A typing error, or a client newer than the server: passed over in silence, a request would mean another thing
than was meant. Pure: a message in, an error out.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from nextchar.errors import InvalidRequest

_MAX_SHOWN = 40  # characters of a map's key
# A set of unknown fields is a Python object for each: of a few megabytes of them, seconds. So they are only
# looked at where they cannot be many.
_MANY_BYTES = 16 * 1024


def refuse_unknown_fields(message: Message) -> None:
    """Raises InvalidRequest (unknown_field) for a field, here or in a message inside, that its type lacks.

    The error names the field's number and where it is; its `param` is the path from the message on, as
    "inputs.0.17". What is unknown inside an entry of a map, beside its key and value, protobuf does not tell.
    """
    name = message.DESCRIPTOR.name
    if message.ByteSize() > _MANY_BYTES:
        num_bytes = _num_unknown_bytes(message)
        if num_bytes == 0:
            return
        if num_bytes > _MANY_BYTES:
            raise InvalidRequest(f"{num_bytes} bytes of unknown fields in {name}", code="unknown_field")
    found = _first_unknown(message)
    if found is not None:
        *path, number = found
        where = ".".join((name, *path))
        raise InvalidRequest(
            f"unknown field {number} in {where}", param=".".join(found), code="unknown_field"
        )


def _num_unknown_bytes(message: Message) -> int:
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return int(message.ByteSize() - known.ByteSize())


def _first_unknown(message: Any) -> tuple[str, ...] | None:
    """The path to the first unknown field, its number last."""
    for field in UnknownFieldSet(message):
        return (str(field.field_number),)
    for field in _fields_of_messages(message.DESCRIPTOR):
        for key, part in _parts(message, field):
            below = _first_unknown(part)
            if below is not None:
                return (field.name, *key, *below)
    return None


@cache
def _fields_of_messages(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields in which an unknown one can be: most messages have none, and need not be looked through."""
    return tuple(
        field
        for field in descriptor.fields
        if field.message_type is not None
        and (not _is_map(field) or _value_of(field).message_type is not None)
    )


def _parts(message: Any, field: FieldDescriptor) -> Iterator[tuple[tuple[str, ...], Message]]:
    """The messages in a field, each with what tells it from the others."""
    if not field.is_repeated:
        if message.HasField(field.name):
            yield (), getattr(message, field.name)
        return
    held = getattr(message, field.name)
    items: Iterable[tuple[object, Message]] = held.items() if _is_map(field) else enumerate(held)
    for key, part in items:
        yield (str(key)[:_MAX_SHOWN],), part


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type.GetOptions().map_entry)


def _value_of(entry: FieldDescriptor) -> FieldDescriptor:
    return entry.message_type.fields_by_name["value"]
