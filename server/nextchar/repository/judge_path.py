"""Finds the folder of a judge at a path, or by its name."""

from pathlib import Path

from nextchar.errors import ModelFileError
from nextchar.model.judging.card import FILE_NAME
from nextchar.model.judging.judge import judges_beside, models_beside
from nextchar.model.names import is_model_name
from nextchar.repository.folder import version_folders

DEFAULT_MODELS = Path("models")  # as that of the setting
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


def judges_folder(given: Path | None, models: Path) -> Path:
    """Returns the folder of judges: the one that is given, or `judges` beside that of models.

    Raises:
        ModelFileError: the one that is given does not exist.
    """
    if given is None:
        return judges_beside(models)
    if not given.is_dir():
        raise ModelFileError(f"judges folder {str(given)!r} does not exist")
    return given


def judge_and_models(name: str, judges: Path | None, models: Path | None) -> tuple[Path, Path]:
    """Returns the folder of a version of a judge, and the folder of models that has its model.

    A judge is found by `name` or `name:version` in the folder of judges, as a server finds it, or else by a
    path. The models of a path are beside its folder of judges, unless their folder is given.

    Raises:
        ModelFileError: there is no judge.
    """
    served = models or DEFAULT_MODELS
    plain, _, version = name.partition(":")
    is_name = is_model_name(plain)
    found = judges_folder(judges, served) / plain / version if is_name else Path(name)
    if not is_name or (not found.is_dir() and Path(name).is_dir()):
        folder = find_judge(Path(name))
        return folder, models or models_beside(folder)
    return find_judge(found), served
