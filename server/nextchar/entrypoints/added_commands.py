"""Finds and imports the commands that entry points add: those of training, and of other packages."""

from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import click

from nextchar.entrypoints.machine import bound_spinning

# Described here: importing the training commands for their help would import torch, which takes seconds.
TRAINING = {
    "train": "Train a character-level recurrent network on a text.",
    "import": "Serve a network that PyTorch, Keras or another program trained.",
    "export": "Write a trained network as a model that can be served.",
    "evaluate": "Measure how well a model predicts held-out text, in nats and bits per character.",
    "analyze": "Draw what happens inside a model: gradient flow, gates, long dependencies, recall.",
}
_ALSO_TRAINING = {"judge"}  # `nextchar judge fit`, a part of a command of serving
INSTALL = "pip install torch==2.13.0 'nextchar[train]'"


def added() -> dict[str, EntryPoint]:
    """Returns the commands that entry points add; none of them is imported yet."""
    return {entry.name: entry for entry in entry_points(group="nextchar.commands")}


def training_is_installed() -> bool:
    """Returns whether the training packages are installed, without importing them."""
    return all(find_spec(package) for package in ("nextchar_training", "torch"))


def load_added(entry: EntryPoint) -> click.Command:
    """Imports a command; raises ClickException if what it needs is not installed."""
    if entry.name in TRAINING or entry.name in _ALSO_TRAINING:
        bound_spinning()
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        raise not_installed(entry.name, error.name) from error
    return command


def not_installed(command: str, package: str | None) -> click.ClickException:
    """Makes the error of a command whose package is missing."""
    return click.ClickException(
        f"`nextchar {command}` needs the training packages ({package} is missing): {INSTALL}"
    )
