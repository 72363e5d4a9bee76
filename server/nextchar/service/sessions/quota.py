"""Limits what one owner has in the store: sessions, and bytes of their states."""

from nextchar.errors import SOONEST_SECONDS, SessionLimit
from nextchar.schemas.limits import SessionLimits
from nextchar.service.sessions.stores.base import GRACE_SECONDS
from nextchar.service.sessions.stores.instrumented import InstrumentedStore


class SessionQuota:
    """Checks quotas against one store; raises SessionLimit, which says when an unused session expires."""

    def __init__(self, store: InstrumentedStore, limits: SessionLimits) -> None:
        self._store, self._limits = store, limits

    async def check_one_more(self, owner: str, num_bytes: int, *, now: float) -> None:
        """Checks that an owner may have one more session, of `num_bytes`."""
        kept, limit = await self._store.kept(owner), self._limits.max_sessions
        if kept.num_sessions >= limit:
            count = await self._store.count(owner, now=now)
            if count >= limit:
                wait = await self._seconds_until_one_less(owner, now=now, kept_seconds=0.0)
                why = f"you have {count} unexpired sessions, the limit is {limit}: delete one, or retry later"
                raise SessionLimit(why, retry_after_seconds=wait)
        if kept.num_bytes + num_bytes > self._limits.max_state_bytes:
            raise await self.exceeded(owner, kept.num_bytes, num_bytes, now=now)

    async def exceeded(self, owner: str, num_bytes: int, num_more: int, *, now: float) -> SessionLimit:
        """Returns the error of an owner who has `num_bytes` and needs `num_more`, which is too much."""
        # An expired session's bytes stay in the store until it is purged.
        wait = await self._seconds_until_one_less(owner, now=now, kept_seconds=GRACE_SECONDS)
        limit = self._limits.max_state_bytes
        why = f"your states have {num_bytes} bytes and need {num_more} more, the limit is {limit}"
        return SessionLimit(why, retry_after_seconds=wait)

    async def _seconds_until_one_less(self, owner: str, *, now: float, kept_seconds: float) -> float:
        """Returns the time until the first of an owner's sessions that count is gone."""
        first = await self._store.next_expiry(owner, after=now - kept_seconds)
        return SOONEST_SECONDS if first is None else max(SOONEST_SECONDS, first + kept_seconds - now)
