"""Carries a client's calls over REST."""

from collections.abc import AsyncGenerator

import httpx

from nextchar.client.endpoint import Endpoint
from nextchar.client.operations import A, C, Operation
from nextchar.client.rest_messages import (
    EventReader,
    http_errors,
    http_options,
    http_request,
    read_answer,
    read_error,
)


class AsyncRestTransport:
    """Sends operations over one pool of connections."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._endpoint, self._timeout_seconds = endpoint, timeout_seconds
        self._http = httpx.AsyncClient(**http_options(endpoint))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def execute(self, operation: Operation[A]) -> A:
        """Makes one call and returns its answer."""
        with http_errors(self._endpoint):
            response = await self._http.request(**http_request(operation, self._timeout_seconds))
        return read_answer(response, operation)

    async def execute_stream(self, operation: Operation[C]) -> AsyncGenerator[C]:
        """Makes one call and yields the parts of its answer; closing the generator ends the call."""
        request = http_request(operation, self._timeout_seconds)
        with http_errors(self._endpoint):
            async with self._http.stream(**request) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise read_error(response)
                events = EventReader(operation.answer_type)
                async for piece in response.aiter_bytes():
                    for part in events.read(piece):
                        yield part
                events.check_end()
