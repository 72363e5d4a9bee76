"""Implements the `nextchar` command, with training commands through entry points."""

import gc
import sys
from importlib.metadata import EntryPoint
from typing import Any

import click

from nextchar import __version__
from nextchar.entrypoints.added_commands import (
    INSTALL,
    TRAINING,
    added,
    load_added,
    not_installed,
    training_is_installed,
)
from nextchar.entrypoints.standard_streams import open_standard_streams, told_in_a_line
from nextchar.errors import NextcharError

# Imported when they are called: a health check that runs every few seconds must not load a model's libraries.
_SERVING = {
    "serve": "nextchar.entrypoints.commands.serve:serve",
    "score": "nextchar.entrypoints.commands.score:score",
    "compare": "nextchar.entrypoints.commands.compare:compare",
    "judge": "nextchar.entrypoints.commands.judge:judge",
    "watch": "nextchar.entrypoints.commands.watch:watch",
    "next": "nextchar.entrypoints.commands.query:next_chars",
    "complete": "nextchar.entrypoints.commands.query:complete",
    "card": "nextchar.entrypoints.commands.card:card",
    "keys": "nextchar.entrypoints.commands.keys:keys",
    "healthcheck": "nextchar.entrypoints.commands.healthcheck:healthcheck",
}
_RENAMED = {"inspect": "nextchar inspect is now nextchar card; hidden states are POST /v1/inspect"}


def _load_serving(name: str) -> click.Command:
    gc.disable()  # what is imported is no garbage, and looking for some takes a tenth of the time
    try:
        command: click.Command = EntryPoint(name, _SERVING[name], "nextchar.commands").load()
    finally:
        gc.freeze()
        gc.enable()
    return command


class _Commands(click.Group):
    """Finds serving, training and added commands by name, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_SERVING, *TRAINING, *added()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _SERVING:
            return _load_serving(cmd_name)
        if cmd_name in _RENAMED:
            raise click.ClickException(_RENAMED[cmd_name])
        if entry := added().get(cmd_name):
            return load_added(entry)
        if cmd_name in TRAINING:
            raise not_installed(cmd_name, "nextchar_training")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        serving = [(name, _load_serving(name).get_short_help_str(limit=200)) for name in sorted(_SERVING)]
        with formatter.section("Commands"):
            formatter.write_dl(serving)
        missing = "" if training_is_installed() else f" (not installed: {INSTALL})"
        with formatter.section(f"Training commands{missing}"):
            formatter.write_dl(sorted(TRAINING.items()))
        if others := {name: entry for name, entry in added().items() if name not in (*TRAINING, *_SERVING)}:
            with formatter.section("Commands of other packages"):
                formatter.write_dl([(name, f"Runs {entry.value}.") for name, entry in sorted(others.items())])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        open_standard_streams()
        with told_in_a_line():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NextcharError as error:
            click.echo(f"Error: {error.message}", err=True)
            sys.exit(2)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nextchar")
def main() -> None:
    """Train, score with and serve character-level recurrent language models."""
