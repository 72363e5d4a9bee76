"""Defines the options that say which text a model file is evaluated on."""

from collections.abc import Callable
from typing import Any

import click

from nextchar_training.commands.number_range import NumberRange
from nextchar_training.text.config import TextConfig


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
        type=NumberRange(0, min_open=True),
        show_default=f"as for training; {TextConfig.heldout:g} of another text",
        help="The share of the text that is held out; from 1 on, a number of characters or distinct lines.",
    ),
    click.option("--heldout-file", metavar="PATH", help="A text that is held out as a whole."),
    click.option(
        "--development-file",
        metavar="PATH",
        help="The text between --corpus and --heldout-file, if the model was trained with one.",
    ),
]
