"""Keeps a ring of keys as its file is: looks at the file each second, reads it when it has changed."""

import asyncio
import logging
from pathlib import Path

from nextchar.errors import SettingsInvalid
from nextchar.security.api_keys import KeyRing, read_records
from nextchar.security.file_watch import FileWatch

_LOOK_SECONDS = 1.0
logger = logging.getLogger(__name__)


class KeyFile:
    """A file and the ring of its keys. A file that cannot be read any more leaves the ring as it was."""

    def __init__(self, path: Path, *, max_lanes: int | None = None) -> None:
        """Raises SettingsInvalid for a file that cannot be used."""
        self._path = path
        self._watch = FileWatch(path)
        self.ring = KeyRing(read_records(path), max_lanes=max_lanes)
        if not len(self.ring):
            logger.warning("%s holds no key: nobody will be let in", path)

    async def follow(self) -> None:
        """Look for changes for as long as this runs."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Read the file if it has changed."""
        if not self._watch.changed():
            return
        try:
            records = read_records(self._path)
        except SettingsInvalid as error:
            logger.error("the keys stay as they were: %s", error.message)
            return
        self.ring.replace(records)
        logger.info("%s has changed: %d keys are good now", self._path, len(records))
