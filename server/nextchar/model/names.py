"""Validates the names of models and versions.

A name is part of a path, a URL, a metric's label and `name:version`, so it is short, ASCII, and has no
character with a meaning in any of them. This also rules out two models with names that look alike.
"""

import re

from nextchar.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_MAX_DIGITS = 18
_VERSION = re.compile(rf"0|[1-9][0-9]{{0,{_MAX_DIGITS - 1}}}")

MAX_VERSION = 10**_MAX_DIGITS - 1
VERSION_RULE = f"a number of at most {_MAX_DIGITS} digits, without leading zeros"


def is_model_name(name: str) -> bool:
    """Returns whether a model may have this name."""
    return _NAME.fullmatch(name) is not None


def is_version(version: str) -> bool:
    """Returns whether this is a version: decimal, without leading zeros, so that each has one spelling."""
    return _VERSION.fullmatch(version) is not None


def check_model_name(name: str, version: str | None = None) -> None:
    """Validates a name and a version that a client sent.

    Raises:
        InvalidRequest: no model can have this name, or the version is not a number.
    """
    if not is_model_name(name):
        raise InvalidRequest(
            "model must be 1 to 128 characters of A-Z a-z 0-9 . _ - and not begin with a dot "
            f"(model is {name[:100]!r})",
            param="model",
        )
    if version is not None and not is_version(version):
        raise InvalidRequest(
            f"version must be {VERSION_RULE} (version is {version[:100]!r})",
            param="version",
        )
