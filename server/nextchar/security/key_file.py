"""Keeps a ring of keys up to date: checks its file each second, and loads it when it has changed."""

import asyncio
import logging
from pathlib import Path

from nextchar.errors import SettingsInvalid
from nextchar.security.api_keys import KeyRecord, KeyRing, read_records
from nextchar.security.file_watch import FileWatch

_CHECK_SECONDS = 1.0
logger = logging.getLogger(__name__)


class KeyFile:
    """Loads the ring of keys of a file. A file that has become invalid leaves the ring unchanged."""

    def __init__(self, path: Path, *, max_lanes: int | None = None) -> None:
        """Loads the file.

        Raises:
            SettingsInvalid: the file cannot be used.
        """
        self._path = path
        self._watch = FileWatch(path)
        self.ring = KeyRing(read_records(path), max_lanes=max_lanes)
        if not len(self.ring):
            logger.warning("%s holds no key: every request that needs one will be refused", path)

    async def follow(self) -> None:
        """Checks for changes for as long as this runs."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            await self.reload_if_changed()

    async def reload_if_changed(self) -> None:
        """Loads the file if it has changed; looks at it in a thread, for its drive may be away."""
        records = await asyncio.to_thread(self._changed_records)
        if records is not None:
            self.ring.replace(records)
            logger.info("%s has changed: it has %d valid keys", self._path, len(records))

    def _changed_records(self) -> list[KeyRecord] | None:
        """Returns the records of the file if it has changed and is valid."""
        if not self._watch.changed():
            return None
        try:
            return read_records(self._path)
        except SettingsInvalid as error:
            logger.error("the keys stay unchanged: %s", error.message)
            return None
