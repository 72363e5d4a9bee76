"""Defines the options that say where a command writes a model's version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nextchar.model.names import MAX_VERSION
from nextchar_training.commands.options import DEFAULT_MODELS, MODELS_VARIABLE, ModelName


def written_model_options(source: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds --models, --name and --version to a command; `source` gives the model its name by default."""
    options = [
        click.option(
            "--models",
            type=click.Path(path_type=Path),
            default=DEFAULT_MODELS,
            show_default=True,
            envvar=MODELS_VARIABLE,
            help="The folder of models to write into.",
        ),
        click.option("--name", type=ModelName(), help=f"The name of the model; {source}'s name by default."),
        click.option(
            "--version",
            type=click.IntRange(1, MAX_VERSION),
            help="The version of the model; the next free one by default.",
        ),
    ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add
