"""Finds model files in a models folder: <name>/<version>/step-int8.onnx or step-float32.onnx."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nextchar.errors import ModelFileError
from nextchar.model.names import is_model_name, is_version

PrecisionChoice = Literal["auto", "int8", "float32"]
_FILES = {"int8": "step-int8.onnx", "float32": "step-float32.onnx"}


@dataclass(frozen=True, slots=True)
class ModelPath:
    """The file of a model version; `fallback` is served on processors that cannot run it."""

    name: str
    version: str
    path: Path
    fallback: Path | None = None


def find_models(folder: Path, precision: PrecisionChoice = "auto") -> list[ModelPath]:
    """Finds every version of every model in a folder, in order of name and version.

    Raises:
        ModelFileError: the folder does not exist, has no model or a version without a file of this precision,
            has a folder whose name cannot be a model's, or a link that leads out of it.
    """
    if not folder.is_dir():
        raise ModelFileError(f"models folder {str(folder)!r} does not exist")
    found = [version_in(folder, path, precision) for path in version_folders(folder)]
    if not found:
        raise ModelFileError(f"no models in {str(folder)!r}: it must have <name>/<version>/step-int8.onnx")
    return found


def version_in(folder: Path, version: Path, precision: PrecisionChoice) -> ModelPath:
    """Finds the files in the folder of a version; raises as `find_models`."""
    files = [inside(folder, file) for file in step_files(version, precision)]
    return ModelPath(_name(version), version.name, *files)


def _name(version: Path) -> str:
    """Returns the model name of a version's folder."""
    name = version.parent.name
    if not is_model_name(name):
        raise ModelFileError(
            f"{name[:100]!r} cannot be a model name: use up to 128 of A-Z a-z 0-9 . _ -, and no dot first"
        )
    return name


def find_model(path: Path, precision: PrecisionChoice = "auto") -> ModelPath:
    """Finds the model at a path: a step graph, a version's folder, or a model's folder (its latest version).

    Raises:
        ModelFileError: the folder has no file of this precision.
    """
    if path.is_dir():
        versions = version_folders(path.parent, path.name)
        files = step_files(versions[-1] if versions else path, precision)
    else:
        files = [path]
    folder = files[0].resolve().parent
    return ModelPath(folder.parent.name or "model", folder.name or "1", *files)


def step_files(folder: Path, precision: PrecisionChoice) -> list[Path]:
    """Finds the step graphs in the folder of a version in order of preference; `auto` prefers int8.

    Raises:
        ModelFileError: the folder has no step graph of this precision.
    """
    wanted = list(_FILES) if precision == "auto" else [precision]
    found = [path for name in wanted if (path := folder / _FILES[name]).exists()]
    if found:
        return found
    expected = " or ".join(_FILES[name] for name in wanted)
    raise ModelFileError(f"{folder.parent.name}/{folder.name}: no {expected} (precision {precision})")


def inside(folder: Path, path: Path) -> Path:
    """Resolves the links of a path in a folder, which itself may be reached by a link.

    Raises:
        ModelFileError: the path leads out of the folder, nowhere or in circles.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelFileError(f"{path.relative_to(folder)}: leads nowhere: {error}") from error
    if not real.is_relative_to(folder.resolve()):
        raise ModelFileError(f"{path.relative_to(folder)}: leads out of the models folder")
    return real


def version_folders(folder: Path, name: str | None = None) -> list[Path]:
    """Lists the folders of versions, of one model or of all, in order of name and version.

    Skips folders that vanish meanwhile, for which Path.glob would raise FileNotFoundError.
    """
    if name is None:
        models = [entry for entry in _entries(folder) if not entry.name.startswith(".")]
    else:
        models = [folder / name]
    entries = [entry for model in models for entry in _entries(model)]
    versions = [entry for entry in entries if is_version(entry.name) and entry.is_dir()]
    return sorted(versions, key=lambda path: (path.parent.name, int(path.name)))


def _entries(folder: Path) -> list[Path]:
    """Lists a folder; empty if the path is not a folder or cannot be read."""
    try:
        return list(folder.iterdir())
    except (NotADirectoryError, FileNotFoundError, PermissionError):
        return []
