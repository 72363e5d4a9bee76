"""Loads versions from the models folder: opens a file, checks it and warms up its engines."""

import asyncio
import hashlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.deliveries import GatherReceiver
from nextchar.engine.lane import Lane, Sampling
from nextchar.errors import ModelFileError, ModelNotFound, NextcharError
from nextchar.repository.folder import (
    Key,
    ModelPath,
    PrecisionChoice,
    layout_faults,
    misnamed_versions,
    version_folders,
    version_in,
)
from nextchar.repository.missing_model import MAX_SHOWN
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels

_WARM_CHARS = 32
logger = logging.getLogger(__name__)


class ModelLoader:
    """Loads models from one folder; `folder` None is a folder without models.

    Files are read on other threads; everything else runs on the event loop.
    """

    def __init__(self, served_models: ServedModels, folder: Path | None, precision: PrecisionChoice) -> None:
        self._served_models, self._folder, self._precision = served_models, folder, precision
        self.loading: set[Key] = set()
        self.failures = served_models.failures

    async def versions(self, name: str, version: str = "") -> list[ModelPath]:
        """Lists the versions of a model in the folder, or that one, the latest last.

        Raises:
            ModelFileError: the files of a version cannot be used.
        """
        return await asyncio.to_thread(self._versions, name, version)

    async def missing(self, name: str, version: str) -> ModelNotFound:
        """Says what the folder has in place of a model or a version that is not in it."""
        found, misnamed = await asyncio.to_thread(self._in_folder, name)
        hints = "".join(f"; {why}" for why in misnamed)
        if version and found:
            shown = f"version {version} of model {name!r} is not in the models folder, which has: "
            return ModelNotFound(shown + ", ".join(found[-MAX_SHOWN:]) + hints, param="model")
        shown = f"model {f'{name}:{version}' if version else name!r}"
        return ModelNotFound(f"{shown} is not in the models folder{hints}", param="model")

    async def keys(self) -> set[Key]:
        """Lists the name and version of every version in the folder, and of folders that cannot be one.

        Notes in `failures` why these cannot, once in the log, and forgets what is in the folder no more.
        """
        if self._folder is None:
            return set()
        try:
            versions, faults = await asyncio.to_thread(_keys, self._folder)
        except OSError as error:  # it is away: what is known of it stays
            logger.warning("the models folder cannot be read now: %s", error)
            return set()
        for key in self.failures.keys() - versions - self.loading - faults.keys():
            del self.failures[key]
        for key in faults.keys() - self.failures.keys():
            # A model without a version may be one that is being copied in.
            logger.log(logging.ERROR if key[1] else logging.INFO, "a model cannot be served: %s", faults[key])
        self.failures.update(faults)
        return versions | faults.keys()

    async def open(self, path: ModelPath) -> Model:
        """Opens a model, checks its golden strings and samples with every engine.

        Raises:
            ModelFileError: the file is not valid, or cannot be run here.
        """
        key = path.name, path.version
        self.loading.add(key)
        try:
            model = await asyncio.to_thread(self._served_models.open, path)
            await _warm(model)
        except ModelFileError as error:
            self.failures[key] = error.message
            raise
        finally:
            self.loading.discard(key)
        self.failures.pop(key, None)
        self.failures.pop((path.name, ""), None)
        return model

    async def check_same(self, model: Model, path: ModelPath) -> None:
        """Raises ModelFileError if the file of a served version has changed since it was loaded."""
        digests = await asyncio.to_thread(_digests, path)
        if model.graph.digest not in digests:
            raise ModelFileError(
                f"{model.name}/{model.version} is served and its file has changed: save it as a new version"
            )

    def _versions(self, name: str, version: str) -> list[ModelPath]:
        folder = self._folder
        if folder is None:
            return []
        paths = [path for path in version_folders(folder, name) if version in ("", path.name)]
        return [version_in(folder, path, self._precision) for path in paths]

    def _in_folder(self, name: str) -> tuple[list[str], list[str]]:
        """Returns the versions of a model, and why other folders of it are none."""
        if self._folder is None:
            return [], []
        versions = [path.name for path in version_folders(self._folder, name)]
        return versions, list(misnamed_versions(self._folder / name).values())


def _keys(folder: Path) -> tuple[set[Key], dict[Key, str]]:
    """Lists versions and faults; raises OSError while the folder itself cannot be read."""
    versions, faults = version_folders(folder), layout_faults(folder)
    next(folder.iterdir(), None)  # last: the folder may vanish meanwhile
    return {(path.parent.name, path.name) for path in versions}, faults


async def stop(model: Model) -> None:
    """Stops the engines of a model; requests that still wait fail."""
    await asyncio.to_thread(model.engine.__exit__, None, None, None)


async def _warm(model: Model) -> None:
    """Samples a few characters with every engine, so that no request pays for its first call."""
    nothing: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    gather = GatherReceiver(len(model.engine))
    sampling = Sampling(_WARM_CHARS, 0)
    lanes = [Lane(nothing, sampling=sampling, receiver=gather, tag=k) for k in range(len(model.engine))]
    try:
        model.engine.submit(lanes)
        await gather.wait()
    except BaseException as error:
        await stop(model)
        if isinstance(error, NextcharError):
            raise ModelFileError(f"{model.name}/{model.version} cannot be run here: {error}") from error
        raise


def _digests(path: ModelPath) -> list[str]:
    files = [file for file in (path.path, path.fallback) if file is not None and file.is_file()]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
