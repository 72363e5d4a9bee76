"""Refuses messages with fields that their type does not have, as REST does with the fields of a body.

Such a field is a typing error, or the client is newer than the server; a request without it would mean
something else. The functions are pure.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from nextchar.errors import InvalidRequest

_MAX_SHOWN = 40  # characters of the key of a map
# An UnknownFieldSet makes a Python object per field, which takes seconds for a few megabytes. So fields are
# looked at one by one only where they cannot be many.
_MANY_BYTES = 16 * 1024


def refuse_unknown_fields(message: Message) -> None:
    """Checks that a message, and each message in it, has only fields of its type.

    Protobuf does not report what is unknown in an entry of a map besides its key and its value.

    Raises:
        InvalidRequest: there is an unknown field. The error has its number, and as `param` the path to it,
            such as "inputs.0.17".
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
    """Returns the path to the first unknown field, with its number last; None if there is none."""
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
    """Returns the fields that hold messages, where unknown fields may be; most types have none."""
    return tuple(
        field
        for field in descriptor.fields
        if field.message_type is not None
        and (not _is_map(field) or _value_of(field).message_type is not None)
    )


def _parts(message: Any, field: FieldDescriptor) -> Iterator[tuple[tuple[str, ...], Message]]:
    """Yields the messages in a field, each with its index or its key."""
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
