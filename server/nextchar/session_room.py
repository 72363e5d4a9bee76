"""What one owner may have in the store: sessions, and bytes of their states. More is refused at once."""

from nextchar.errors import SessionLimit
from nextchar.limits import SessionLimits
from nextchar.observed_store import ObservedStore
from nextchar.session_store import Kept


class SessionRoom:
    """Over one store. Each method raises SessionLimit."""

    def __init__(self, store: ObservedStore, limits: SessionLimits) -> None:
        self._store, self._limits = store, limits

    async def check_one_more(self, owner: str, num_bytes: int, *, now: float) -> None:
        """For a session more, of so many bytes."""
        kept, limit = await self._store.kept(owner), self._limits.max_sessions
        if kept.num_sessions >= limit:
            count = await self._store.count(owner, now=now)
            if count >= limit:
                raise SessionLimit(f"{count} sessions are live, the limit is {limit}")
        self._check_bytes(kept, num_bytes)

    async def check_growth(self, owner: str, num_more: int) -> None:
        """For a session that is so many bytes larger than it was."""
        if num_more > 0:
            self._check_bytes(await self._store.kept(owner), num_more)

    def _check_bytes(self, kept: Kept, num_more: int) -> None:
        limit = self._limits.max_state_bytes
        if kept.num_bytes + num_more > limit:
            raise SessionLimit(
                f"the states of your sessions have {kept.num_bytes} bytes; {num_more} more are over the "
                f"limit of {limit}"
            )
