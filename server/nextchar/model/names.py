"""Says what a model and a version may be called.

A name is part of a path, of a URL, of a metric's label and of `name:version`, so it is short, ASCII and holds
nothing that means something in any of them. This also keeps two names that look alike from being two models.
"""

import re

from nextchar.errors import InvalidRequest

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"0|[1-9][0-9]{0,17}")


def is_model_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def is_version(version: str) -> bool:
    """Decimal, without leading zeros: a version has one spelling."""
    return _VERSION.fullmatch(version) is not None


def check_model_name(name: str, version: str | None = None) -> None:
    """For a name that a client sent.

    Raises:
        InvalidRequest: it cannot be a model's name, or the version not a version's.
    """
    if not is_model_name(name):
        raise InvalidRequest(
            f"model {name[:100]!r}: a model's name is up to 128 of A-Z a-z 0-9 . _ -, and no dot first",
            param="model",
        )
    if version is not None and not is_version(version):
        raise InvalidRequest(f"version {version[:100]!r}: a version is a number", param="version")
