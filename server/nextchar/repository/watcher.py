"""Watches the models folder: loads new versions and unloads those that are gone."""

import asyncio
import logging
from pathlib import Path

from nextchar.errors import NextcharError
from nextchar.repository.folder import Key, version_folders
from nextchar.repository.manager import ModelManager

Fingerprint = tuple[tuple[str, int, int], ...]  # of a version's files: name, size, time of its last change

logger = logging.getLogger(__name__)


async def watch_models(model_manager: ModelManager, folder: Path, *, poll_seconds: float) -> None:
    """Follows the folder until cancelled; a version unloaded by a client stays so until its files change.

    A version is loaded when two polls in a row have seen the same files, so that files that are still being
    copied are not read.
    """
    known = seen = await _poll(folder) or {}
    while True:
        await asyncio.sleep(poll_seconds)
        now = await _poll(folder)
        if now is None:
            continue
        for key in known.keys() - now.keys():
            _unload(model_manager, key)
            del known[key]
        for key, fingerprint in now.items():
            if fingerprint and known.get(key) != fingerprint == seen.get(key):
                known[key] = fingerprint
                await _load(model_manager, key)
        seen = now


async def _poll(folder: Path) -> dict[Key, Fingerprint] | None:
    """Lists the versions; None if the folder cannot be read now (too many open files, a drive away)."""
    try:
        return await asyncio.to_thread(_signatures, folder)
    except OSError as error:
        logger.warning("the models folder cannot be read now: %s", error)
        return None


async def _load(model_manager: ModelManager, key: Key) -> None:
    name, version = key
    try:
        if model_manager.wants(name, version):
            await model_manager.load(f"{name}:{version}")
    except NextcharError as error:  # the repository index reports it too
        logger.error("model %s:%s in the models folder cannot be loaded: %s", name, version, error)


def _unload(model_manager: ModelManager, key: Key) -> None:
    name, version = key
    model_manager.forget(name, version)
    if any((model.name, model.version) == key for model in model_manager.served_models.serving):
        model_manager.unload(f"{name}:{version}")


def _signatures(folder: Path) -> dict[Key, Fingerprint]:
    """Lists the versions with the signatures of their files; skips one that vanishes meanwhile.

    Raises:
        OSError: the folder cannot be read; it is not taken for a folder without models.
    """
    found: dict[Key, Fingerprint] = {}
    for version in version_folders(folder):
        try:
            files = [(file.name, file.stat()) for file in sorted(version.glob("step-*.onnx"))]
        except OSError:
            continue
        found[version.parent.name, version.name] = tuple((n, s.st_size, s.st_mtime_ns) for n, s in files)
    next(folder.iterdir(), None)  # last: the folder may vanish meanwhile
    return found
