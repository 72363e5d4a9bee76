"""Lets retired versions go: when no request and no session needs them, or at their deadline.

A retired version takes no new work; its sessions continue. When it is let go, its sessions end, and requests
that hold it run to their end with its engines, which are stopped after that.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nextchar.errors import Unavailable
from nextchar.model.vocabulary import Vocabulary
from nextchar.repository.folder import Key
from nextchar.repository.loader import stop
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels

CountSessions = Callable[[str, str], Awaitable[int]]

_POLL_SECONDS = 1.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PastVersion:
    """The facts kept of an unloaded version, which suffice to read the characters of its sessions."""

    digest: str
    vocabulary: Vocabulary
    shapes: Mapping[str, tuple[np.dtype[Any], int]]


@dataclass(frozen=True, slots=True, eq=False)
class _Retired:
    """One retirement of a version: it may be recalled and be retired again, which is another one."""

    model: Model
    deadline: float


class RetiredVersions:
    """Holds the versions of one server that are retired, and the facts of those that are gone."""

    def __init__(
        self, served_models: ServedModels, changing: asyncio.Lock, *, unload_after_seconds: float
    ) -> None:
        """Takes the lock under which models are served and removed."""
        self._served_models, self._changing = served_models, changing
        self._unload_after_seconds = unload_after_seconds
        self._retired: dict[Key, _Retired] = {}
        self._past: dict[Key, PastVersion] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._retired

    def retire(self, model: Model) -> None:
        """Stops giving a version new work."""
        key = model.name, model.version
        self._retired[key] = _Retired(model, time.monotonic() + self._unload_after_seconds)
        self._served_models.retire(*key)
        logger.info("model %s:%s is retired: it takes no new work", *key)

    def recall(self, model: Model) -> None:
        """Gives a version new work, and forgets that it was retired or unloaded."""
        key = model.name, model.version
        self._served_models.recall(*key)
        self._retired.pop(key, None)
        self._past.pop(key, None)

    def past(self, key: Key) -> PastVersion | None:
        """Returns the facts of a version that was let go; None if it was not."""
        return self._past.get(key)

    async def let_go(self, count_sessions: CountSessions, on_ended: Callable[[int], object]) -> None:
        """Unloads versions that are due until cancelled; one that fails is logged and tried again.

        Calls `on_ended` with the number of sessions that were left.
        """
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            for key in list(self._retired):
                try:
                    await self._let_go_if_due(key, count_sessions, on_ended)
                except Exception:
                    logger.exception("model %s:%s could not be unloaded; it is tried again", *key)
            await self._stop_unheld()

    async def _stop_unheld(self) -> None:
        # Not in the loop that waits, whose variables would keep the last model in memory.
        for model in self._served_models.unheld():
            try:
                await stop(model)
            except Exception:
                logger.exception(
                    "model %s:%s could not be stopped; it is tried again", model.name, model.version
                )
                continue
            self._served_models.forget(model)  # not before: if the task ends here, closing stops it

    async def _let_go_if_due(self, key: Key, count: CountSessions, on_ended: Callable[[int], object]) -> None:
        retired = self._retired.get(key)
        if retired is None or not _may_go(retired):  # recalled, while another version was let go
            return
        try:
            num_left = await count(*key)
        except Unavailable as error:
            logger.warning("the sessions of model %s:%s cannot be counted now: %s", *key, error)
            num_left = 0 if _is_over(retired) else 1
        if num_left and not _is_over(retired):
            return
        async with self._changing:
            # Meanwhile it may have been recalled, and retired again, or be used by a request that came.
            if self._retired.get(key) is not retired or not _may_go(retired):
                return
            self.remove(retired.model)
        on_ended(num_left)
        logger.info("model %s:%s is unloaded; %d sessions were left", *key, num_left)

    def remove(self, model: Model) -> None:
        """Takes a version out of service for good, and keeps its facts."""
        key, graph = (model.name, model.version), model.graph
        self._served_models.remove(*key)
        self._retired.pop(key, None)
        self._past[key] = PastVersion(graph.digest, graph.vocabulary, graph.state_shapes)


def _is_over(retired: _Retired) -> bool:
    return time.monotonic() >= retired.deadline


def _may_go(retired: _Retired) -> bool:
    return not retired.model.engine.num_held or _is_over(retired)
