"""Counts what a body or a message holds before any of it is built, and refuses what holds too much.

A few megabytes of empty strings are a million objects, which take a hundred times the room and seconds to
make. The bytes are counted without making anything, in milliseconds.
"""

from dataclasses import dataclass

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from nextchar.errors import InvalidRequest
from nextchar.schemas.limits import Limits
from nextchar.schemas.limits_report import RequestLimits

ROOM = 8192  # strings, lists and values of a request beside those that its own limits count
_DEFAULT = Limits()
_SMALL_BYTES = 16 * 1024  # cannot hold too many
_QUOTE, _COMMA, _BRACKET, _BRACE = b'",[{'
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class ItemLimits:
    """The limits of one request: strings with the names of fields, lists with objects, and values in them."""

    max_strings: int = _DEFAULT.max_strings + ROOM
    max_lists: int = _DEFAULT.max_choices + ROOM
    max_values: int = _DEFAULT.max_request_chars + ROOM

    def check_json(self, text: bytes) -> None:
        """Checks a text that should be JSON; of one that is not, what comes before the mistake is counted.

        Raises:
            InvalidRequest (too_many_items): it holds too much.
        """
        if len(text) <= _SMALL_BYTES:
            return
        most = (text.count(b'"') // 2, text.count(b"[") + text.count(b"{"), text.count(b","))
        if self._allow(*most):  # of which some may be inside strings
            return
        self._check(*_count_json(text))

    def check_message(self, data: bytes, descriptor: Descriptor) -> None:
        """Checks the bytes of a message; one that is damaged is left to protobuf.

        Raises:
            InvalidRequest (too_many_items): it holds too much.
        """
        if len(data) <= _SMALL_BYTES:
            return
        num_fields, num_values = _count_message(data, descriptor, self.max_strings)
        self._check(num_fields, 0, num_values)

    def _allow(self, num_strings: int, num_lists: int, num_values: int) -> bool:
        return (
            num_strings <= self.max_strings and num_lists <= self.max_lists and num_values <= self.max_values
        )

    def _check(self, num_strings: int, num_lists: int, num_values: int) -> None:
        counted = (
            (num_strings, self.max_strings, "strings and fields"),
            (num_lists, self.max_lists, "lists and objects"),
            (num_values, self.max_values, "values"),
        )
        for found, limit, what in counted:
            if found > limit:
                raise InvalidRequest(
                    f"the request has {found} {what}, the limit is {limit}: send it in several requests",
                    code="too_many_items",
                )


DEFAULT_ITEMS = ItemLimits()


def item_limits(limits: RequestLimits) -> ItemLimits:
    """Returns the limits of what a request holds by its other limits."""
    return ItemLimits(limits.max_strings + ROOM, limits.max_choices + ROOM, limits.max_request_chars + ROOM)


def _count_json(text: bytes) -> tuple[int, int, int]:
    """Counts the strings of a JSON text, and the lists and the commas outside of them."""
    if b"\\" in text:  # first pairs of backslashes, so that those that are left escape what follows
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    found = np.frombuffer(text, dtype=np.uint8)
    quotes = found == _QUOTE
    outside = (np.cumsum(quotes, dtype=np.uint8) & 1) == 0  # of the number of quotes up to there
    lists = ((found == _BRACKET) | (found == _BRACE)) & outside
    commas = (found == _COMMA) & outside
    return int(np.count_nonzero(quotes)) // 2, int(np.count_nonzero(lists)), int(np.count_nonzero(commas))


def _count_message(data: bytes, descriptor: Descriptor, enough: int) -> tuple[int, int]:
    """Counts the fields of a message and of all messages in it, and the numbers in its packed lists.

    It stops where there are more than `enough` fields, or where the bytes are no message.
    """
    num_fields = num_values = 0
    left = [(0, len(data), descriptor)]
    while left and num_fields <= enough:
        place, end, descriptor = left.pop()
        while place < end and num_fields <= enough:
            tag, place = _varint(data, place)
            num_fields += 1
            kind = tag & 7
            if kind == _VARINT:
                _, place = _varint(data, place)
            elif kind == _BYTES:
                size, place = _varint(data, place)
                field = descriptor.fields_by_number.get(tag >> 3)
                if field is not None and field.message_type is not None:
                    left.append((place, min(place + size, end), field.message_type))
                elif field is not None and field.is_repeated and size > 1:
                    num_values += _num_packed(data, place, min(place + size, end), field)
                place += size
            elif kind in (_FIXED32, _FIXED64):
                place += 4 if kind == _FIXED32 else 8
            else:  # a group, which none of our messages has, or nothing that protobuf knows
                return num_fields, num_values
    return num_fields, num_values


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Reads a number; returns it and the place after it. Beyond the end of the bytes there are zeros."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80 or shift > 63:
            break
    return value, place


def _num_packed(data: bytes, start: int, end: int, field: FieldDescriptor) -> int:
    """Counts the numbers of a packed list; strings and bytes are none."""
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return 0
    # The last byte of each number is below 0x80; numbers of fixed size have fewer than that many bytes.
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8, count=end - start, offset=start) < 0x80))
