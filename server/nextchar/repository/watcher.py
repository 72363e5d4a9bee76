"""A look at the models folder now and then: what is new is loaded, what is gone is unloaded."""

import asyncio
import logging
from pathlib import Path

from nextchar.errors import NextcharError
from nextchar.repository.folder import version_folders
from nextchar.repository.loader import Key
from nextchar.repository.manager import ModelManager

Signature = tuple[tuple[str, int, int], ...]  # of a version's files: name, size, time of its last change

logger = logging.getLogger(__name__)


async def watch_models(model_manager: ModelManager, folder: Path, *, poll_seconds: float) -> None:
    """For ever: follow the folder. What was unloaded by hand stays unloaded until its files change.

    A version is tried when two looks in a row have seen the same files, so that one that is being copied is
    left to be finished.
    """
    known = seen = await _look(folder) or {}
    while True:
        await asyncio.sleep(poll_seconds)
        now = await _look(folder)
        if now is None:
            continue
        for key in known.keys() - now.keys():
            _unload(model_manager, key)
            del known[key]
        for key, signature in now.items():
            if signature and known.get(key) != signature == seen.get(key):
                known[key] = signature
                await _load(model_manager, key)
        seen = now


async def _look(folder: Path) -> dict[Key, Signature] | None:
    """What there is; None where the folder cannot be read now: too many open files, a drive away."""
    try:
        return await asyncio.to_thread(_signatures, folder)
    except OSError as error:
        logger.warning("the models folder cannot be looked at now: %s", error)
        return None


async def _load(model_manager: ModelManager, key: Key) -> None:
    name, version = key
    try:
        if model_manager.wants(name, version):
            await model_manager.load(f"{name}:{version}")
    except NextcharError as error:  # it stays as it was; the index of the repository says why
        logger.error("model %s:%s in the folder is not loaded: %s", name, version, error)


def _unload(model_manager: ModelManager, key: Key) -> None:
    name, version = key
    if any((model.name, model.version) == key for model in model_manager.served_models.serving):
        model_manager.unload(f"{name}:{version}")


def _signatures(folder: Path) -> dict[Key, Signature]:
    """What there is; a version that vanishes while it is looked at is not there.

    Raises:
        OSError: the folder cannot be read; one that is away for a moment is not one without models.
    """
    found: dict[Key, Signature] = {}
    for version in version_folders(folder):
        try:
            files = [(file.name, file.stat()) for file in sorted(version.glob("step-*.onnx"))]
        except OSError:
            continue
        found[version.parent.name, version.name] = tuple((n, s.st_size, s.st_mtime_ns) for n, s in files)
    next(folder.iterdir(), None)  # asked last: a folder may go while it is looked at
    return found
