"""Defines the type of options that are numbers of a range."""

import math
from typing import Any

import click


class NumberRange(click.FloatRange):
    """Refuses nan, which no comparison finds outside of a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number
