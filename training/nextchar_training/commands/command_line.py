"""Records a command line: what was given, without any path of this machine."""

import shlex
from collections.abc import Iterable, Mapping

import click
from click.core import ParameterSource


def given_options(context: click.Context) -> set[str]:
    """Returns the names of the parameters on the command line."""
    return {
        name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def recorded_command(words: Iterable[str], values: Mapping[str, str | list[str]]) -> str:
    """Returns a command line of words and of values by their flags; a list has its flag before each."""
    found = [*words]
    for flag, value in values.items():
        for one in [value] if isinstance(value, str) else value:
            found += [flag, one]
    return shlex.join(found)
