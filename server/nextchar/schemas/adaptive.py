"""Defines whether, and how, a request or a session learns the text that it reads."""

from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import RequestFields, ResponseModel
from nextchar.schemas.integer import WHOLE_ITEMS, Integer

# The engine's own bounds, which the client can read without it.
MAX_ORDERS, MAX_ORDER = 4, 8
MIN_WINDOW, MAX_WINDOW = 1024, 65_536
_ORDERS = [2, 3, 4, 6]
_WINDOW = 32_768


class AdaptiveOptions(RequestFields):
    """What is learned of the text: the lengths of the contexts that are counted, and how far back."""

    orders: Annotated[list[Annotated[int, Field(ge=1, le=MAX_ORDER)]], WHOLE_ITEMS] = Field(
        fail_fast=True,
        default=_ORDERS,
        min_length=1,
        max_length=MAX_ORDERS,
        description="How many characters the contexts have that are counted: rising numbers.",
    )
    window: Integer = Field(
        default=_WINDOW,
        ge=MIN_WINDOW,
        le=MAX_WINDOW,
        description="How many of the characters read last are remembered: a power of two.",
    )
    learn_drawn: bool = Field(
        default=False,
        description="Also learn what is sampled, as what is read. A text then soon repeats itself.",
    )

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        if any(a >= b for a, b in pairwise(self.orders)):
            raise InvalidRequest(
                f"adaptive.orders must be rising numbers, as {_ORDERS} (it is {self.orders})",
                param="adaptive.orders",
            )
        if self.window & (self.window - 1):
            raise InvalidRequest(
                f"adaptive.window must be a power of two, as {_WINDOW} (it is {self.window})",
                param="adaptive.window",
            )
        return self


class AdaptiveInfo(ResponseModel):
    """How a session learns its text, as `AdaptiveOptions` say."""

    orders: list[int]
    window: int
    learn_drawn: bool


def of_switch(value: Any) -> Any:
    """Returns the options of a switch: the defaults for true, none for false; options stay as they are.

    Raises:
        ValueError: the value is neither.
    """
    if isinstance(value, bool):
        return {} if value else None
    if value is None or isinstance(value, dict | AdaptiveOptions):
        return value
    raise ValueError("must be true, false or an object with orders, window or learn_drawn")


Adaptive = Annotated[
    AdaptiveOptions | None,
    BeforeValidator(of_switch, json_schema_input_type=bool | AdaptiveOptions | None),
    Field(
        description="Learn the text while it is read: true, or an object with orders, window and "
        "learn_drawn. What the text repeats becomes likelier.",
    ),
]
