"""The `nextchar` command: serving commands here, training commands through entry points."""

import gc
import sys
from importlib.metadata import EntryPoint, entry_points

import click

from nextchar import __version__
from nextchar.errors import NextcharError

# Imported when they are called: a health check that runs every few seconds must not load a model's libraries.
_OWN = {
    "serve": "nextchar.entrypoints.serve_command:serve",
    "score": "nextchar.entrypoints.query_commands:score",
    "next": "nextchar.entrypoints.query_commands:next_chars",
    "complete": "nextchar.entrypoints.query_commands:complete",
    "inspect": "nextchar.entrypoints.card_command:inspect",
    "keys": "nextchar.entrypoints.keys_command:keys",
    "healthcheck": "nextchar.entrypoints.healthcheck_command:healthcheck",
}
_INSTALL = "pip install torch==2.13.0 'nextchar[train]'"


def _added() -> dict[str, EntryPoint]:
    """Commands that other packages add; nothing of them is imported yet."""
    return {entry.name: entry for entry in entry_points(group="nextchar.commands")}


def _own(name: str) -> click.Command:
    gc.disable()  # what is imported is no garbage, and looking for some takes a tenth of the time
    try:
        command: click.Command = EntryPoint(name, _OWN[name], "nextchar.commands").load()
    finally:
        gc.freeze()
        gc.enable()
    return command


class _Commands(click.Group):
    """Our own commands, and the added ones, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_OWN, *_added()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _OWN:
            return _own(cmd_name)
        entry = _added().get(cmd_name)
        return super().get_command(ctx, cmd_name) if entry is None else _load(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click would import every command for its summary; torch alone takes seconds.
        rows = [(name, self._summary(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _summary(self, ctx: click.Context, name: str) -> str:
        own = _own(name) if name in _OWN else super().get_command(ctx, name)
        return own.get_short_help_str() if own else "Training package."

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NextcharError as error:
            click.echo(f"Error: {error.message}", err=True)
            sys.exit(2)


def _load(entry: EntryPoint) -> click.Command:
    try:
        command: click.Command = entry.load()
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"`nextchar {entry.name}` needs the training packages ({error.name} is missing): {_INSTALL}"
        ) from error
    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nextchar")
def main() -> None:
    """Train, score with and serve character-level recurrent language models."""
