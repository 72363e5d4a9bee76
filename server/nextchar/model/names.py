"""What a model and a version may be called, and where their files may lie.

A name is part of a path, of a URL, of a metric's label and of `name:version`, so it is short, ASCII and holds
nothing that means something in any of them. This also keeps two names that look alike from being two models.
"""

import re
from pathlib import Path

from nextchar.errors import InvalidRequest, ModelFileError

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


def inside(folder: Path, path: Path) -> Path:
    """Where a path leads, if that is in the folder, whose own place may be a link.

    Raises:
        ModelFileError: it leads out of the folder, or in circles.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelFileError(f"{path.relative_to(folder)}: leads nowhere: {error}") from error
    if not real.is_relative_to(folder.resolve()):
        raise ModelFileError(f"{path.relative_to(folder)}: leads out of the models folder")
    return real


def version_folders(folder: Path, name: str | None = None) -> list[Path]:
    """The folders of versions, of one model or of all, in order of name and version.

    What vanishes meanwhile is not there; Path.glob would raise FileNotFoundError.
    """
    if name is None:
        models = [entry for entry in _entries(folder) if not entry.name.startswith(".")]
    else:
        models = [folder / name]
    entries = [entry for model in models for entry in _entries(model)]
    versions = [entry for entry in entries if is_version(entry.name) and entry.is_dir()]
    return sorted(versions, key=lambda path: (path.parent.name, int(path.name)))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing, if it is none or may not be read."""
    try:
        return list(folder.iterdir())
    except (NotADirectoryError, FileNotFoundError, PermissionError):
        return []
