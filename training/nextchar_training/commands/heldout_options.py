"""Defines the options that say which text a model file is evaluated on."""

from collections.abc import Callable
from typing import Any

import click


def heldout_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options of `heldout_split` to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = [
    click.option(
        "--corpus",
        metavar="NAME|PATH",
        help="The text of which a part is held out; by default the named corpus of the model.",
    ),
    click.option(
        "--heldout",
        type=click.FloatRange(0, min_open=True),
        default=0.1,
        show_default=True,
        help="The share of the text that is held out; from 1 on, a number of characters or lines.",
    ),
    click.option("--heldout-file", metavar="PATH", help="A text that is held out as a whole."),
]
