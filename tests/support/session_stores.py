"""What tests of session stores share."""

from nextchar.service.sessions.stores.base import SessionRecord, SessionStore


async def load(store: SessionStore, owner: str, session_id: str) -> SessionRecord | None:
    """Loads a session's record."""
    return await store.load(owner, session_id)


class CountingStore:
    """Passes calls on to another store and keeps their names."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self.durable, self.local = store.durable, store.local
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        return getattr(self._store, name)
