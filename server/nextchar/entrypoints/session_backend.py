"""The session store and the key that settings ask for."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from nextchar.entrypoints.settings import Settings
from nextchar.errors import SettingsInvalid
from nextchar.service.sessions.stores.base import GRACE_SECONDS, SessionStore
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.stores.sqlite import SqliteStore

_KEY_BYTES = 32
_KEY_FILE, _DATABASE = "state.key", "sessions.db"
_SQLITE = "sqlite:///"
_VALKEY = ("valkey", "redis")


@asynccontextmanager
async def session_store(settings: Settings) -> AsyncIterator[SessionStore]:
    """The store, for as long as the context lasts.

    Raises:
        SettingsInvalid: the address is none that is known.
        Unavailable: it cannot be opened.
    """
    store = _make_store(settings)
    try:
        yield store
    finally:
        await store.close()


def _make_store(settings: Settings) -> SessionStore:
    address = settings.session_store
    if address is None:
        folder = settings.data_dir
        return MemoryStore() if folder is None else SqliteStore(folder / _DATABASE)
    if address == "memory:":
        return MemoryStore()
    if address.startswith(_SQLITE) and len(address) > len(_SQLITE):
        return SqliteStore(Path(address.removeprefix(_SQLITE)))
    if address.partition("://")[0].startswith(_VALKEY):
        return _valkey_store(address)
    raise SettingsInvalid(
        f"session_store: {address!r} is neither memory: nor sqlite:///path nor valkey://host",
        param="session_store",
    )


def _valkey_store(address: str) -> SessionStore:
    try:
        from nextchar.service.sessions.stores.valkey import ValkeyStore
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "session_store: Valkey needs a package more: pip install 'nextchar[valkey]'",
            param="session_store",
        ) from error
    try:
        return ValkeyStore(address, grace_seconds=GRACE_SECONDS)
    except ValueError as error:
        raise SettingsInvalid(f"session_store: {error}", param="session_store") from error


def state_key(settings: Settings) -> bytes:
    """The key that is set; or that of the data folder, made when it is first wanted; or one for now.

    Raises:
        SettingsInvalid: it is too short, or the folder cannot be written to.
    """
    if settings.state_key is not None:
        given = settings.state_key.get_secret_value().encode()
        if len(given) < _KEY_BYTES:
            raise SettingsInvalid(
                f"state_key: has {len(given)} bytes, at least {_KEY_BYTES} are needed", param="state_key"
            )
        return given
    if settings.data_dir is None:
        return secrets.token_bytes(_KEY_BYTES)
    try:
        return _key_in(settings.data_dir / _KEY_FILE)
    except OSError as error:
        raise SettingsInvalid(
            f"data_dir: cannot keep the state key in {str(settings.data_dir)!r}: {error.strerror}",
            param="data_dir",
        ) from error


def _key_in(path: Path) -> bytes:
    """The key in a file that only its owner may read; of two processes that make it, one's."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_suffix(f".{os.getpid()}")
        mine.touch(0o600)
        mine.write_bytes(secrets.token_bytes(_KEY_BYTES))
        try:
            with suppress(FileExistsError):  # the other process was quicker: its key is the one
                os.link(mine, path)
        finally:
            mine.unlink()
    return path.read_bytes()
