"""Defines the arguments that the commands which ask a model have in common."""

import os
from collections.abc import Callable
from typing import Any

import click

from nextchar.client.arguments import AdaptiveArguments
from nextchar.errors import InvalidRequest

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class TextArgument(click.ParamType[str]):
    """A text in UTF-8.

    Python passes a byte that is none on as a lone surrogate, which a model would read as one more unknown
    character.
    """

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the text.

        Raises:
            InvalidRequest: it is not UTF-8.
        """
        try:
            value.encode()
        except UnicodeEncodeError as error:
            offset, (byte,) = len(value[: error.start].encode()), os.fsencode(value[error.start])
            shown = param.get_error_hint(ctx) if param is not None and ctx is not None else "the text"
            raise InvalidRequest(
                f"{shown} is not UTF-8: byte 0x{byte:02x} at offset {offset}; give it in UTF-8"
            ) from None
        return value


TEXT = TextArgument()
MODEL = click.argument("model")
PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "int8", "float32"]),
    default="auto",
    show_default=True,
    help="The precision of the model file; auto prefers int8. Not used with --url.",
)
ADAPTIVE = click.option(
    "--adaptive", is_flag=True, help="Learn the text while it is read: what it repeats becomes likelier."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the response as the server sends it.")


def learning(adaptive: bool) -> AdaptiveArguments:
    """Returns the field of a request whose text is learned; nothing otherwise."""
    return {"adaptive": True} if adaptive else {}


def together(*options: Decorator) -> Decorator:
    """Returns a decorator that adds arguments and options to a command, in the order of its help."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
