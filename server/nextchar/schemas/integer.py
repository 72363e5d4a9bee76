"""Defines the integers of requests: 2.0 is one, as in JSON Schema, because JSON has one kind of number."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def whole(value: Any) -> Any:
    """Returns a number without a fraction as an integer; anything else stays for the schema to refuse."""
    return int(value) if type(value) is float and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(whole)]
