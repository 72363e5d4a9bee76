"""Finds model files in a models folder.

models/<name>/<version>/step-int8.onnx  or  step-float32.onnx
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nextchar.errors import ModelFileError
from nextchar.model.names import is_model_name, is_version

PrecisionChoice = Literal["auto", "int8", "float32"]
_FILES = {"int8": "step-int8.onnx", "float32": "step-float32.onnx"}


@dataclass(frozen=True, slots=True)
class ModelPath:
    """A model's file and the name it is served under; `fallback` is for processors that cannot run it."""

    name: str
    version: str
    path: Path
    fallback: Path | None = None


def find_models(folder: Path, precision: PrecisionChoice = "auto") -> list[ModelPath]:
    """Every version of every model in a folder, in order of name and version.

    Raises:
        ModelFileError: there is no folder, no model in it, or none of the wanted precision; a name that
            cannot be a model's, or a file that a link leads out of the folder.
    """
    if not folder.is_dir():
        raise ModelFileError(f"models folder {str(folder)!r} does not exist")
    found = [version_in(folder, path, precision) for path in version_folders(folder)]
    if not found:
        raise ModelFileError(f"no models in {str(folder)!r}: expected <name>/<version>/step-int8.onnx")
    return found


def version_in(folder: Path, version: Path, precision: PrecisionChoice) -> ModelPath:
    """The files of a version's folder; raises as `find_models`."""
    files = [inside(folder, file) for file in step_files(version, precision)]
    return ModelPath(_name(version), version.name, *files)


def _name(version: Path) -> str:
    """The name of the model that a version's folder is of."""
    name = version.parent.name
    if not is_model_name(name):
        raise ModelFileError(
            f"{name[:100]!r} cannot be a model's name: up to 128 of A-Z a-z 0-9 . _ -, and no dot first"
        )
    return name


def find_model(path: Path, precision: PrecisionChoice = "auto") -> ModelPath:
    """The model at a path: a step graph, a version's folder, or a model's folder (its highest version).

    Raises:
        ModelFileError: there is none.
    """
    if path.is_dir():
        versions = version_folders(path.parent, path.name)
        files = step_files(versions[-1] if versions else path, precision)
    else:
        files = [path]
    folder = files[0].resolve().parent
    return ModelPath(folder.parent.name or "model", folder.name or "1", *files)


def step_files(folder: Path, precision: PrecisionChoice) -> list[Path]:
    """The step graphs of a version's folder in order of preference; `auto` prefers int8.

    Raises:
        ModelFileError: it has none of that precision.
    """
    wanted = list(_FILES) if precision == "auto" else [precision]
    found = [path for name in wanted if (path := folder / _FILES[name]).exists()]
    if found:
        return found
    expected = " or ".join(_FILES[name] for name in wanted)
    raise ModelFileError(f"{folder.parent.name}/{folder.name}: no {expected} (precision {precision})")


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
