"""Replaces functions of a library in one module, for a test."""

from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def replace_in(monkeypatch: pytest.MonkeyPatch, module: ModuleType, library: str, **functions: Any) -> None:
    """Replaces functions of the library that a module has imported by this name, for this module alone.

    To set them in the library itself would change them for every thread of the process: the event loops of
    other tests' servers, and pytest.
    """
    own = vars(getattr(module, library))
    monkeypatch.setattr(module, library, SimpleNamespace(**{**own, **functions}))
