"""Opens the session store that the settings name, and checks that its sessions are of the state key."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nextchar.entrypoints.settings import Settings
from nextchar.errors import SettingsInvalid, Unavailable
from nextchar.security.state_key import StateKey, make_state_key
from nextchar.service.sessions.stores.base import GRACE_SECONDS, SessionStore
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.service.sessions.stores.sqlite import SqliteStore

_DATABASE = "sessions.db"
_SQLITE = "sqlite:///"
_VALKEY = ("valkey", "redis")
_RETRY_SECONDS = 5.0
logger = logging.getLogger(__name__)


def state_key(settings: Settings) -> StateKey:
    """Returns the key that seals states; raises as `make_state_key`."""
    given = settings.state_key
    return make_state_key(None if given is None else given.get_secret_value(), settings.data_dir)


@asynccontextmanager
async def session_store(settings: Settings, key: StateKey) -> AsyncIterator[SessionStore]:
    """Opens the session store and closes it at the end of the context.

    Raises:
        SettingsInvalid: session_store is not the address of a store, or the key does not last as long as it.
        Unavailable: the store cannot be opened.
    """
    store = _make_store(settings, key)
    try:
        _check_key_lasts(store, key)
        yield store
    finally:
        await store.close()


def _make_store(settings: Settings, key: StateKey) -> SessionStore:
    address = settings.session_store
    if address is None:
        folder = settings.data_dir
        return MemoryStore() if folder is None else SqliteStore(folder / _DATABASE, before_open=key.ensure)
    if address == "memory:":
        return MemoryStore()
    if address.startswith(_SQLITE) and len(address) > len(_SQLITE):
        return SqliteStore(Path(address.removeprefix(_SQLITE)), before_open=key.ensure)
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


def _check_key_lasts(store: SessionStore, key: StateKey) -> None:
    """Checks that a store that outlives this process has a key that does.

    Raises:
        SettingsInvalid: the key is one of this process only.
    """
    if store.durable and not key.lasts:
        raise SettingsInvalid(
            "state_key must be set, or data_dir: session_store keeps sessions longer than this process, and "
            "its own key would be lost with it: no server could open them",
            param="state_key",
        )


async def check_key(store: SessionStore, key: StateKey) -> None:
    """Checks that the sessions in a store were sealed with this key; an unused store takes it as its own.

    Raises:
        SettingsInvalid: they were sealed with another key.
        Unavailable: the store cannot be reached.
    """
    if not await store.check_key(key.fingerprint):
        raise SettingsInvalid(
            "state_key: the sessions in session_store are sealed with another key: set state_key as it was, "
            "or restore state.key in data_dir; to begin anew with this key, empty the store",
            param="state_key",
        )


async def confirm_key(store: SessionStore, key: StateKey) -> None:
    """Repeats `check_key` until the store can be reached, for one that was away at the start.

    Raises:
        SettingsInvalid: as `check_key`.
    """
    while True:
        try:
            return await check_key(store, key)
        except Unavailable as error:
            logger.warning("the key of the session store cannot be checked now: %s", error)
        await asyncio.sleep(_RETRY_SECONDS)
