"""Numbers and writes the folders of versions: of models, and of judges."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from nextchar.errors import InvalidRequest, ModelFileError

MAX_VERSION = 10**18 - 1  # the longest number that a server takes as a version has 18 digits


def next_version(folder: Path) -> int:
    """Returns one more than the highest version in the folder of a model or a judge."""
    versions = [int(p.name) for p in folder.glob("*") if p.name.isdecimal()]
    return max(versions, default=0) + 1


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
