"""Defines the integers of requests: 2.0 is one, as in JSON Schema, because JSON has one kind of number."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def whole(value: Any) -> Any:
    """Returns a number without a fraction as an integer; anything else stays for the schema to refuse."""
    return int(value) if type(value) is float and value.is_integer() else value


def whole_items(value: Any) -> Any:
    """Does what `whole` does for each item of a list; a list of integers, maybe a million, stays as it is."""
    if isinstance(value, list) and float in set(map(type, value)):
        return list(map(whole, value))
    return value


Integer = Annotated[int, BeforeValidator(whole)]
WHOLE_ITEMS = BeforeValidator(whole_items)  # of a list of integers: a call for each would take long
