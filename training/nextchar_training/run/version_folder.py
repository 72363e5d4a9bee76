"""Numbers and writes the folders of versions: of models, and of judges."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from nextchar.errors import InvalidRequest, ModelFileError
from nextchar.model.names import MAX_VERSION, is_version


def latest_version(folder: Path) -> int:
    """Returns the highest version in the folder of a model or a judge; 0 if it has none.

    What has another name than a server takes as a version, as one of 30 digits, is none.
    """
    return max((int(p.name) for p in folder.glob("*") if is_version(p.name)), default=0)


def next_version(folder: Path) -> int:
    """Returns one more than the highest version in the folder of a model or a judge.

    Raises:
        InvalidRequest: it has the highest version that there can be.
    """
    latest = latest_version(folder)
    if latest >= MAX_VERSION:
        raise InvalidRequest(
            f"{folder} has version {latest}, and no number comes after it: choose a free one by --version",
            param="version",
        )
    return latest + 1


def check_new(folder: Path) -> None:
    """Raises InvalidRequest if there is this version's folder already."""
    if folder.exists():
        raise InvalidRequest(
            f"version {folder.name} exists in {folder.parent}: choose another --version", param="version"
        )


def write_version(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files of a version, by name, into its folder: all of them or none.

    Raises:
        InvalidRequest: the folder exists.
        ModelFileError: the folder cannot be written.
    """
    check_new(folder)
    temporary = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        temporary.rename(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise ModelFileError(f"cannot write {folder}: {error.strerror}") from error
