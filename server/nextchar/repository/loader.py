"""Versions in the models folder, and how one of them becomes a model that can be served: checked and warm."""

import asyncio
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.deliveries import GatherReceiver
from nextchar.engine.lane import Lane, Sampling
from nextchar.errors import ModelFileError, NextcharError
from nextchar.repository.folder import ModelPath, PrecisionChoice, version_folders, version_in
from nextchar.repository.served_models import Model, ServedModels

Key = tuple[str, str]  # name and version

_WARM_CHARS = 32


class ModelLoader:
    """Over one folder; None has nothing. Files are read on other threads; the rest is the event loop's."""

    def __init__(self, served_models: ServedModels, folder: Path | None, precision: PrecisionChoice) -> None:
        self._served_models, self._folder, self._precision = served_models, folder, precision
        self.loading: set[Key] = set()
        self.failures: dict[Key, str] = {}

    async def versions(self, name: str) -> list[ModelPath]:
        """A model's versions in the folder, the highest last.

        Raises:
            ModelFileError: files that cannot be its.
        """
        return await asyncio.to_thread(self._versions, name)

    async def keys(self) -> set[Key]:
        """Every version in the folder."""
        return await asyncio.to_thread(self._keys)

    async def open(self, path: ModelPath) -> Model:
        """A model whose golden strings score as they should, every engine of which has drawn something.

        Raises:
            ModelFileError: it cannot be trusted, or not be run.
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
        return model

    async def check_same(self, model: Model, path: ModelPath) -> None:
        """Raises ModelFileError if a served version's file has changed since."""
        digests = await asyncio.to_thread(_digests, path)
        if model.graph.digest not in digests:
            raise ModelFileError(
                f"{model.name}/{model.version} is served and its file has changed: give it a new version"
            )

    def _versions(self, name: str) -> list[ModelPath]:
        folder = self._folder
        if folder is None:
            return []
        return [version_in(folder, path, self._precision) for path in version_folders(folder, name)]

    def _keys(self) -> set[Key]:
        if self._folder is None:
            return set()
        return {(path.parent.name, path.name) for path in version_folders(self._folder)}


async def stop(model: Model) -> None:
    """Stop a model's engines; whoever still waits is told so."""
    await asyncio.to_thread(model.engine.__exit__, None, None, None)


async def _warm(model: Model) -> None:
    """Have every engine draw a few characters, so that no request is the first."""
    nothing: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    gather = GatherReceiver(len(model.engine))
    sampling = Sampling(_WARM_CHARS, 0)
    lanes = [Lane(nothing, sampling=sampling, receiver=gather, tag=k) for k in range(len(model.engine))]
    try:
        model.engine.submit(lanes)
        await gather.wait()
    except NextcharError as error:
        await stop(model)
        raise ModelFileError(f"{model.name}/{model.version} cannot be run: {error}") from error


def _digests(path: ModelPath) -> list[str]:
    files = [file for file in (path.path, path.fallback) if file is not None and file.is_file()]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
