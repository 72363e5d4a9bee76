"""Trains, runs and serves character-level recurrent language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nextchar.entrypoints.library.judge import LoadedJudge
    from nextchar.entrypoints.library.model import Model

__version__ = "0.1.0"


def load(path: Any, **options: Any) -> "Model":
    """Loads a model into this process, to use it without a server: see `entrypoints.library.model`."""
    # Imported by name, when it is called: `import nextchar` stays light.
    model: Model = import_module("nextchar.entrypoints.library.model").Model(path, **options)
    return model


def load_judge(path: Any, **options: Any) -> "LoadedJudge":
    """Loads a judge and its model into this process: see `entrypoints.library.judge`."""
    judge: LoadedJudge = import_module("nextchar.entrypoints.library.judge").LoadedJudge(path, **options)
    return judge
