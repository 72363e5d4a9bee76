"""Finds the folder of a judge at a path, or by its name."""

from pathlib import Path

from nextchar.errors import ModelFileError
from nextchar.model.judging.card import FILE_NAME
from nextchar.repository.folder import version_folders

_MAX_SHOWN = 1000  # characters of a path


def find_judge(path: Path) -> Path:
    """Returns the folder of a version: that at the path, or the latest in the folder of a judge at the path.

    Raises:
        ModelFileError: there is no judge.
    """
    if (path / FILE_NAME).is_file():
        return path
    versions = [one for one in version_folders(path.parent, path.name) if (one / FILE_NAME).is_file()]
    if not versions:
        raise ModelFileError(
            f"there is no judge in {str(path)[:_MAX_SHOWN]!r}: give the folder of a judge, or of a version "
            f"with {FILE_NAME} in it; `nextchar judge fit` makes one"
        )
    return versions[-1]


def named_judge(name: str, judges: Path) -> Path:
    """Returns the folder of a judge by its path, or of `name` or `name:version` in a folder of judges.

    Raises:
        ModelFileError: there is no judge.
    """
    if Path(name).is_dir():
        return find_judge(Path(name))
    plain, _, version = name.partition(":")
    return find_judge(judges / plain / version if version else judges / plain)
