"""Keeps the key that seals states: the one that is set, that of the data folder, or one of this process."""

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from nextchar.errors import SettingsInvalid
from nextchar.security.operator_file import read_file

_KEY_BYTES = 32
_KEY_FILE = "state.key"
_CHECK_SECONDS = 2.0
_MARK_BYTES = 16
logger = logging.getLogger(__name__)


class StateKey:
    """Holds the key; `lasts` says whether it is the same after a restart."""

    def __init__(self, secret: bytes, *, path: Path | None = None, lasts: bool = True) -> None:
        self.secret, self.lasts = secret, lasts
        self._path = path
        self._kept = True  # as far as was last seen, so that a change is logged once

    @property
    def fingerprint(self) -> str:
        """A mark of the key that does not give it away, by which a store knows it again."""
        return key_mark(self.secret).hex()

    async def follow(self) -> None:
        """Keeps the file of the key for as long as this runs; without a file there is nothing to do."""
        while self._path is not None:
            await asyncio.sleep(_CHECK_SECONDS)
            await asyncio.to_thread(self.ensure)

    def ensure(self) -> None:
        """Writes the key back if its file is gone, and logs where the file does not hold this key.

        What is sealed without the file could not be opened after a restart. It waits for the disk.
        """
        if self._path is None:
            return
        if not self._path.exists():
            logger.warning("%s is gone: the state key is written back", self._path)
        try:
            kept = _key_in(self._path, self.secret) == self.secret
            why = "" if kept else "it holds another key"
        except (OSError, SettingsInvalid) as error:
            kept, why = False, str(error)
        if self._kept and not kept:
            logger.error(
                "%s: %s; what is stored from now on cannot be opened after a restart", self._path, why
            )
        self._kept = kept


def key_mark(secret: bytes) -> bytes:
    """Returns bytes by which a key is known again, and which do not give it away."""
    return hmac.new(secret, b"nextchar state key", hashlib.sha256).digest()[:_MARK_BYTES]


def make_state_key(given: str | None, folder: Path | None) -> StateKey:
    """Returns the key that is given, or that of the data folder, made if missing, or a random one.

    Raises:
        SettingsInvalid: state_key or the one in data_dir is too short, or data_dir cannot be written.
    """
    if given is not None:
        secret = given.encode()
        if len(secret) < _KEY_BYTES:
            raise SettingsInvalid(
                f"state_key has {len(secret)} bytes; it must have at least {_KEY_BYTES}", param="state_key"
            )
        return StateKey(secret)
    if folder is None:
        return StateKey(secrets.token_bytes(_KEY_BYTES), lasts=False)
    path = folder / _KEY_FILE
    try:
        return StateKey(_key_in(path, secrets.token_bytes(_KEY_BYTES)), path=path)
    except OSError as error:
        raise SettingsInvalid(
            f"data_dir: cannot write the state key in {str(folder)!r}: {error.strerror}",
            param="data_dir",
        ) from error


def _key_in(path: Path, new: bytes) -> bytes:
    """Reads the key of a file; where there is none, `new` is written, by one of several processes.

    Raises:
        SettingsInvalid: the file cannot be read, or holds too few bytes to be a key.
        OSError: it cannot be written.
    """
    if not path.exists():
        _write(path, new)
    found = read_file(path, "data_dir")
    if len(found) < _KEY_BYTES:
        raise SettingsInvalid(
            f"data_dir: {str(path)!r} has {len(found)} bytes; a state key has at least {_KEY_BYTES}: "
            "restore it, or delete it together with the sessions that it sealed",
            param="data_dir",
        )
    return found


def _write(path: Path, key: bytes) -> None:
    """Writes a whole key, which outlives a loss of power, for its owner only; keeps one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # By a name of its own: in two containers over one folder, both processes may have the number 1.
    mine = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process has written it first: its key counts
            os.link(mine, path)
    finally:
        mine.unlink()
    for folder in (path.parent, path.parent.parent):
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
