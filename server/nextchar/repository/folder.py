"""Finds model files in a models folder: <name>/<version>/step-int8.onnx or step-float32.onnx."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nextchar.errors import ModelFileError
from nextchar.model.names import VERSION_RULE, is_model_name, is_version

PrecisionChoice = Literal["auto", "int8", "float32"]
Key = tuple[str, str]  # name and version; a model's folder without a version has the version ""
Fingerprint = tuple[tuple[str, int, int], ...]  # of a version's files: name, size, time of its last change
_LIKE_A_VERSION = re.compile(r"(v|ver|version|r|rev)?[._-]?\d+([._-]?\d+)*", re.ASCII | re.IGNORECASE)
_MAX_SHOWN = 1000  # characters of a path
_FILES = {"int8": "step-int8.onnx", "float32": "step-float32.onnx"}


def by_version(key: Key) -> tuple[str, int, str]:
    """Orders names and versions, the numbers of versions as numbers."""
    name, version = key
    return name, int(version) if version.isdecimal() else 0, version


@dataclass(frozen=True, slots=True)
class ModelPath:
    """The file of a model version; `fallback` is served on processors that cannot run it.

    Errors name the file as its user knows it: by its path if that was `given`, else by its place in the
    models folder.
    """

    name: str
    version: str
    path: Path
    fallback: Path | None = None
    given: bool = False

    def shown(self, file: Path) -> str:
        """Returns how errors name one of the files."""
        return str(file) if self.given else f"{self.name}/{self.version}/{file.name}"


@dataclass(frozen=True, slots=True)
class FoundModels:
    """The versions that a models folder has, and why others in it cannot be served.

    `fingerprints` are those of the files of all of them, before any is opened.
    """

    paths: list[ModelPath] = field(default_factory=list)
    faults: dict[Key, str] = field(default_factory=dict)
    fingerprints: dict[Key, Fingerprint] = field(default_factory=dict)


def find_models(folder: Path, precision: PrecisionChoice = "auto") -> FoundModels:
    """Finds every version of every model in a folder, in order of name and version.

    A version without a file of this precision, a name that cannot be a model's or a version's, a link that
    leads out of the folder and a model without a version are faults: they take nothing from the models
    beside them.

    Raises:
        ModelFileError: the folder does not exist, or cannot be read.
    """
    if not folder.is_dir():
        raise ModelFileError(f"models folder {str(folder)!r} does not exist")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise ModelFileError(f"models folder {str(folder)!r} cannot be read: {error.strerror}") from error
    found = FoundModels()
    for path in version_folders(folder):
        found.fingerprints[path.parent.name, path.name] = fingerprint(path)
        try:
            found.paths.append(version_in(folder, path, precision))
        except ModelFileError as error:
            found.faults[path.parent.name, path.name] = error.message
    found.faults.update(layout_faults(folder))
    return found


def fingerprint(version: Path) -> Fingerprint:
    """Tells the step graphs of a version from others; empty if they vanish meanwhile."""
    try:
        files = [(file.name, file.stat()) for file in sorted(version.glob("step-*.onnx"))]
    except OSError:
        return ()
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in files)


def layout_faults(folder: Path) -> dict[Key, str]:
    """Says what is wrong with folders by their names alone.

    That is a model without a version, and what is meant as a version and has another name than a number.
    """
    faults: dict[Key, str] = {}
    for model in _entries(folder):
        if not is_model_name(model.name) or not model.is_dir():
            continue
        misnamed = misnamed_versions(model)
        faults |= misnamed
        if not misnamed and not version_folders(folder, model.name):
            why = "has no version that can be read: it must have <version>/step-int8.onnx"
            faults[model.name, ""] = f"{model.name}: {why}"
    return faults


def misnamed_versions(model: Path) -> dict[Key, str]:
    """Finds the folders of a model that hold a step graph or look like a version, and are named as none."""
    why = f"is not the name of a version, which is {VERSION_RULE}, such as 1: rename the folder"
    entries = [e for e in _entries(model) if not is_version(e.name) and not e.name.startswith(".")]
    meant = [e.name for e in entries if e.is_dir() and (_LIKE_A_VERSION.fullmatch(e.name) or _has_graph(e))]
    return {(model.name, name): f"{model.name}/{name}: {name[:40]!r} {why}" for name in sorted(meant)}


def _has_graph(folder: Path) -> bool:
    return not {entry.name for entry in _entries(folder)}.isdisjoint(_FILES.values())


def version_in(folder: Path, version: Path, precision: PrecisionChoice) -> ModelPath:
    """Finds the files in the folder of a version; raises as `find_models`."""
    files = [inside(folder, file) for file in step_files(version, precision)]
    return _path_of(_name(version), version.name, files)


def _path_of(name: str, version: str, files: list[Path], *, given: bool = False) -> ModelPath:
    first, *others = files
    return ModelPath(name, version, first, others[0] if others else None, given)


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
        ModelFileError: there is no such path, or the folder has no file of this precision.
    """
    if not os.path.exists(path):  # which a path that cannot be one does not make fail, as it does Path's
        raise ModelFileError(
            f"there is no file or folder {str(path)[:_MAX_SHOWN]!r}: give a step graph, the folder of a "
            "version or the folder of a model"
        )
    if path.is_dir():
        versions = version_folders(path.parent, path.name)
        folder = versions[-1] if versions else path
        files = step_files(folder, precision, shown=str(folder))
    else:
        files = [path]
    folder = files[0].resolve().parent
    return _path_of(folder.parent.name or "model", folder.name or "1", files, given=True)


def step_files(folder: Path, precision: PrecisionChoice, *, shown: str = "") -> list[Path]:
    """Finds the step graphs in the folder of a version in order of preference; `auto` prefers int8.

    `shown` names the folder in errors, by default as <name>/<version>.

    Raises:
        ModelFileError: the folder has no step graph of this precision.
    """
    wanted = list(_FILES) if precision == "auto" else [precision]
    found = [path for name in wanted if (path := folder / _FILES[name]).exists()]
    if found:
        return found
    expected = " or ".join(_FILES[name] for name in wanted)
    shown = shown or f"{folder.parent.name}/{folder.name}"
    misnamed = "".join(f"; {why}" for why in misnamed_versions(folder).values())
    raise ModelFileError(f"{shown}: no {expected} (precision {precision}){misnamed}")


def inside(folder: Path, path: Path, *, what: str = "models") -> Path:
    """Resolves the links of a path in a folder, which itself may be reached by a link.

    `what` the folder holds names it in errors.

    Raises:
        ModelFileError: the path leads out of the folder, nowhere or in circles.
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ModelFileError(f"{path.relative_to(folder)}: leads nowhere: {error}") from error
    if not real.is_relative_to(folder.resolve()):
        raise ModelFileError(f"{path.relative_to(folder)}: leads out of the {what} folder")
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
