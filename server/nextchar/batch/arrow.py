"""Imports pyarrow, which is installed only where it is asked for."""

from importlib import import_module
from typing import Any

from nextchar.errors import InvalidRequest


def arrow(needed_for: str, module: str = "pyarrow") -> Any:
    """Returns pyarrow, or one of its modules.

    Raises:
        InvalidRequest: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise InvalidRequest(f"{needed_for} needs pyarrow: pip install 'nextchar[arrow]'") from None
