"""Opens the session store and reads the state key that the settings name."""

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
    """Opens the session store and closes it at the end of the context.

    Raises:
        SettingsInvalid: session_store is not the address of a store.
        Unavailable: the store cannot be opened.
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
        f"session_store is {address!r}; it must be memory:, sqlite:///path or valkey://host",
        param="session_store",
    )


def _valkey_store(address: str) -> SessionStore:
    try:
        from nextchar.service.sessions.stores.valkey import ValkeyStore
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "session_store: Valkey needs an extra package: pip install 'nextchar[valkey]'",
            param="session_store",
        ) from error
    try:
        return ValkeyStore(address, grace_seconds=GRACE_SECONDS)
    except ValueError as error:
        raise SettingsInvalid(f"session_store: {error}", param="session_store") from error


def state_key(settings: Settings) -> bytes:
    """Returns the state key: the one that is set, or that of data_dir, made if missing, or a random one.

    Raises:
        SettingsInvalid: state_key is too short, or data_dir cannot be written.
    """
    if settings.state_key is not None:
        given = settings.state_key.get_secret_value().encode()
        if len(given) < _KEY_BYTES:
            raise SettingsInvalid(
                f"state_key has {len(given)} bytes; it must have at least {_KEY_BYTES}", param="state_key"
            )
        return given
    if settings.data_dir is None:
        return secrets.token_bytes(_KEY_BYTES)
    try:
        return _key_in(settings.data_dir / _KEY_FILE)
    except OSError as error:
        raise SettingsInvalid(
            f"data_dir: cannot write the state key in {str(settings.data_dir)!r}: {error.strerror}",
            param="data_dir",
        ) from error


def _key_in(path: Path) -> bytes:
    """Reads the key of a file, or makes it, readable by its owner only; concurrent processes share one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_suffix(f".{os.getpid()}")
        mine.touch(0o600)
        mine.write_bytes(secrets.token_bytes(_KEY_BYTES))
        try:
            with suppress(FileExistsError):  # another process has made it first: its key counts
                os.link(mine, path)
        finally:
            mine.unlink()
    return path.read_bytes()
