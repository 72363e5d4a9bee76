"""Watches the models folder: loads new versions and unloads those that are gone."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from nextchar.errors import NextcharError
from nextchar.repository.folder import Fingerprint, Key, fingerprint, version_folders
from nextchar.repository.manager import ModelManager

logger = logging.getLogger(__name__)


async def watch_models(
    model_manager: ModelManager, folder: Path, *, known: Mapping[Key, Fingerprint], poll_seconds: float
) -> None:
    """Follows the folder until cancelled; a version unloaded by a client stays so until its files change.

    A version is loaded when two polls in a row have seen the same files, so that files that are still being
    copied are not read.

    Args:
        known: The files of the folder before the server opened any, so that what came while it did is new.
    """
    known = dict(known)
    seen = dict(known)
    while True:
        await asyncio.sleep(poll_seconds)
        now = await _poll(folder)
        if now is None:
            continue
        await model_manager.look_at_layout()
        for key in known.keys() - now.keys():
            _unload(model_manager, key)
            del known[key]
        for key, files in now.items():
            if files and known.get(key) != files == seen.get(key):
                known[key] = files
                await _load(model_manager, key)
        seen = now


async def _poll(folder: Path) -> dict[Key, Fingerprint] | None:
    """Lists the versions; None if the folder cannot be read now (too many open files, a drive away)."""
    try:
        return await asyncio.to_thread(_fingerprints, folder)
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
    except Exception:  # whatever one version does, the others are followed
        logger.exception("model %s:%s in the models folder cannot be loaded", name, version)


def _unload(model_manager: ModelManager, key: Key) -> None:
    name, version = key
    model_manager.forget(name, version)
    if any((model.name, model.version) == key for model in model_manager.served_models.serving):
        model_manager.unload(f"{name}:{version}")


def _fingerprints(folder: Path) -> dict[Key, Fingerprint]:
    """Lists the versions with the fingerprints of their files; one that vanishes meanwhile has an empty one.

    Raises:
        OSError: the folder cannot be read; it is not taken for a folder without models.
    """
    found = {(path.parent.name, path.name): fingerprint(path) for path in version_folders(folder)}
    next(folder.iterdir(), None)  # last: the folder may vanish meanwhile
    return found
