"""Refuses the gRPC calls that are more than the server answers at a time, with advice.

gRPC itself would end them as CANCELLED, without a word, and those of other connections too.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import grpc

from nextchar.errors import SOONEST_SECONDS, QueueFull
from nextchar.rpc.errors import ending
from nextchar.security.access import OPEN, Need

Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class CallLimitInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Counts calls in progress; those that need no key, as health, have a limit of their own.

    So a server that is full still says that it lives, and whoever asks for that takes no place of others.
    """

    def __init__(self, max_calls: int, needs: Mapping[str, Need], seconds_left: Callable[[], float]) -> None:
        """Makes a limit for each of the two groups.

        Args:
            needs: The scopes of the paths.
            seconds_left: Estimates when what runs has ended.
        """
        self._max_calls, self._needs = max_calls, needs
        self._seconds_left = seconds_left
        self._num_calls: Counter[bool] = Counter()

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Returns the handler, or one that refuses the call."""
        is_open = self._needs.get(details.method) == OPEN
        if self._num_calls[is_open] >= self._max_calls:
            return ending(self._full())
        call = asyncio.current_task()
        assert call is not None  # gRPC runs each call in a task, from here to its end
        self._num_calls[is_open] += 1
        call.add_done_callback(partial(self._ended, is_open))
        return await continuation(details)

    def _ended(self, is_open: bool, _call: object) -> None:
        self._num_calls[is_open] -= 1

    def _full(self) -> QueueFull:
        return QueueFull(
            f"the server answers {self._max_calls} gRPC calls at a time; retry later",
            retry_after_seconds=max(SOONEST_SECONDS, self._seconds_left()),
        )
