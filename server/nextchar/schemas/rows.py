"""Keeps the items of a long list of an answer in columns, and makes each one when it is read or written.

An object for each character of an answer takes many times what the answer takes on the wire, and the whole
list would be held twice. Rows look like a list to those who read them, and are written piece by piece.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, overload

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")
BLOCK = 64  # items that are made, and written, at once


class Rows(Sequence[T]):
    """A list of an answer whose items are made when they are wanted."""

    @abstractmethod
    def plain(self, start: int, stop: int) -> list[Any]:
        """Returns the items from `start` up to `stop` as JSON has them, without fields that it omits."""

    @abstractmethod
    def made(self, plain: Any) -> T:
        """Makes an item of the schema from its plain form."""

    def pieces(self, num_items: int) -> Iterator[list[Any]]:
        """Yields all items in their plain form, `num_items` at a time."""
        for start in range(0, len(self), num_items):
            yield self.plain(start, min(start + num_items, len(self)))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        places = range(len(self))[index]
        if isinstance(places, int):
            return self.made(self.plain(places, places + 1)[0])
        return [self[place] for place in places]

    def __iter__(self) -> Iterator[T]:
        for piece in self.pieces(BLOCK):
            yield from map(self.made, piece)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows | list):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment] # equal to a list, which has none


def is_long(value: Any) -> bool:
    """Returns whether a value has a list of many items, at any depth: one that is written in blocks."""
    if isinstance(value, Rows | list):
        return len(value) > BLOCK or (isinstance(value, list) and any(map(is_long, value)))
    return isinstance(value, BaseModel) and any(map(is_long, vars(value).values()))


def blocks(values: Rows[Any] | list[Any]) -> Iterator[list[Any]]:
    """Yields the items of a list in blocks, in their plain form if they are in rows."""
    if isinstance(values, Rows):
        return values.pieces(BLOCK)
    return (values[start : start + BLOCK] for start in range(0, len(values), BLOCK))


class _InRows:
    """Lets pydantic take rows for a list, and write them in their plain form."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            lambda value, validate: value if isinstance(value, Rows) else validate(value),
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_listed),
        )


def _listed(value: Any) -> Any:
    return value.plain(0, len(value)) if isinstance(value, Rows) else value


if TYPE_CHECKING:
    Listed = Sequence
else:

    class Listed:
        """The type of a field that holds a list of items, or rows of them: `Listed[CharScore]`."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Annotated[list[item], _InRows()]
