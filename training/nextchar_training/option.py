"""Describes each option of a training run once; its flag, its help, the report page and the docs follow."""

import os
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from inspect import get_annotations
from pathlib import PurePath
from types import NoneType
from typing import Any, ClassVar, Protocol, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The numbers that an option may be: from `minimum` up to `maximum`, each itself excluded where open."""

    minimum: float | None = None
    maximum: float | None = None
    min_open: bool = False
    max_open: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """The annotation of a field: a sentence, and what its type and default do not say."""

    sentence: str
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()
    """The values of a string; those of a Literal need not be repeated."""
    metavar: str | None = None
    flag: str | None = None
    """The flag, where it is not the name of the field."""
    is_path: bool = False
    """Whether the value is a path, of which only the name is recorded."""
    automatic: bool = False
    """Whether the command chooses the value if the flag is not given (or, of choices, is `auto`)."""
    shown_default: str = ""
    """The default in words, where the value does not say it."""


class Config(Protocol):
    """A dataclass whose fields are annotated with options; `group` is its heading in the help."""

    group: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OptionField:
    """A field of a config with its option, its type without None, and its default (None if it has none)."""

    name: str
    option: Option
    type: Any
    default: Any
    group: str

    @property
    def flag(self) -> str:
        """The flag of `nextchar train`."""
        return self.option.flag or "--" + self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values to choose from, `auto` first where the command can choose; empty if it is free."""
        found = self.option.choices or (get_args(self.type) if get_origin(self.type) is not None else ())
        return ("auto", *found) if found and self.option.automatic else found

    @property
    def flag_default(self) -> Any:
        """The default of the flag: the field's, or what leaves the choice to the command."""
        if self.option.automatic:
            return "auto" if self.choices else None
        return self.default


def option_fields(config: type[Config]) -> Iterator[OptionField]:
    """Yields the fields of a config class, those of its bases first."""
    hints = get_type_hints(config, include_extras=True)
    for entry in fields(config):
        group = next(base for base in config.__mro__ if entry.name in get_annotations(base))
        annotated, option = get_args(hints[entry.name])
        default = None if entry.default is MISSING else entry.default
        yield OptionField(entry.name, option, _without_none(annotated), default, group.__dict__["group"])


def _without_none(annotated: Any) -> Any:
    kinds = [kind for kind in get_args(annotated) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(annotated) else annotated


def recorded_path(path: str) -> str:
    """Returns the name of a file or folder without its folders, which are of this machine.

    Bytes of it that are no UTF-8 are written as `\\xff`, because a card and a report hold text.
    """
    return os.fsencode(PurePath(path).name).decode("utf-8", "backslashreplace")


def describe_options(config: Config) -> list[tuple[str, str, str]]:
    """Returns the flag, value and sentence of each option of a run, without any path of this machine."""
    found = []
    for entry in option_fields(type(config)):
        value = getattr(config, entry.name)
        shown = "" if value is None else recorded_path(value) if entry.option.is_path else str(value)
        found.append((entry.flag, shown, entry.option.sentence))
    return found
