# Made of nextchar/client/asynchronous/rest_transport.py by `make docs`; change it there.
"""Carries a client's calls over REST."""

from collections.abc import Generator

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


class RestTransport:
    """Sends operations over one pool of connections."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._endpoint, self._timeout_seconds = endpoint, timeout_seconds
        self._http = httpx.Client(**http_options(endpoint))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def execute(self, operation: Operation[A]) -> A:
        """Makes one call and returns its answer."""
        with http_errors(self._endpoint):
            response = self._http.request(**http_request(operation, self._timeout_seconds))
        return read_answer(response, operation)

    def execute_stream(self, operation: Operation[C]) -> Generator[C]:
        """Makes one call and yields the parts of its answer; closing the generator ends the call."""
        request = http_request(operation, self._timeout_seconds)
        with http_errors(self._endpoint), self._http.stream(**request) as response:
            if response.status_code != 200:
                response.read()
                raise read_error(response)
            events = EventReader(operation.answer_type)
            for piece in response.iter_bytes():
                yield from events.read(piece)
            events.check_end()
