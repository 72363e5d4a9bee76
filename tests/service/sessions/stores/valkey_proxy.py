"""Stands between a store and Valkey: loses answers, holds them back, and leads elsewhere.

As a managed address does, it leads new connections to another server and leaves the old ones where they are.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_BYTES = 1 << 16
Meanwhile = Callable[[], Awaitable[object]]


class ValkeyProxy:
    """Leads connections to a port; `port` is its own."""

    def __init__(self, target: int) -> None:
        self.port, self.target = 0, target
        self.num_connections = 0
        self._losing: Meanwhile | None = None
        self._held: asyncio.Event | None = None
        self._word = b""

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}/0"

    def lose_answer_to(self, word: bytes, meanwhile: Meanwhile | None = None) -> None:
        """Ends the connection in place of the answer to the next request that has a word in it.

        The request is done; then `meanwhile` happens.
        """

        async def nothing() -> None: ...

        self._word, self._losing = word, meanwhile or nothing

    def hold_answers_to(self, word: bytes) -> asyncio.Event:
        """Holds back all answers to requests that have a word in them, until the event is set."""
        self._word, self._held = word, asyncio.Event()
        return self._held

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.num_connections += 1
        up, down = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            while request := await reader.read(_BYTES):
                down.write(request)
                answer = await up.read(_BYTES)
                if self._losing is not None and self._word in request:
                    meanwhile, self._losing = self._losing, None
                    await meanwhile()
                    return
                if self._held is not None and self._word in request:
                    await self._held.wait()
                writer.write(answer)
        except ConnectionError:
            return
        finally:
            down.close()
            writer.close()


@asynccontextmanager
async def valkey_proxy(target: int) -> AsyncIterator[ValkeyProxy]:
    """Runs a proxy on a port of loopback."""
    proxy = ValkeyProxy(target)
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
