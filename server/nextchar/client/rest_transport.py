"""A client's calls over REST, blocking and not."""

import base64
import json
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import ValidationError

from nextchar.client.endpoint import Endpoint
from nextchar.client.errors_and_retries import CONNECTION_LOST, UNREACHABLE, no_connection
from nextchar.client.operations import A, C, Operation, StateBytes
from nextchar.client.streams import Events, error_of
from nextchar.errors import DeadlineExceeded, InternalError, InvalidRequest, NextcharError

_CONNECT_SECONDS = 5.0


class RestBlocking:
    """Calls over one pool of connections."""

    def __init__(self, place: Endpoint, timeout_seconds: float) -> None:
        self._place = place
        self._http = httpx.Client(**_options(place, timeout_seconds))

    def close(self) -> None:
        self._http.close()

    def call(self, ask: Operation[A]) -> A:
        with _failing(self._place):
            response = self._http.request(**_request(ask))
        return _answer(response, ask)

    def stream(self, ask: Operation[C]) -> Generator[C]:
        with _failing(self._place), self._http.stream(**_request(ask)) as response:
            if response.status_code != 200:
                response.read()
                raise _error(response)
            events = Events(ask.answer)
            for line in response.iter_lines():
                if (piece := events.read(line)) is not None:
                    yield piece
            events.check_ended()


class RestAsync:
    """The same without blocking."""

    def __init__(self, place: Endpoint, timeout_seconds: float) -> None:
        self._place = place
        self._http = httpx.AsyncClient(**_options(place, timeout_seconds))

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, ask: Operation[A]) -> A:
        with _failing(self._place):
            response = await self._http.request(**_request(ask))
        return _answer(response, ask)

    async def stream(self, ask: Operation[C]) -> AsyncGenerator[C]:
        with _failing(self._place):
            async with self._http.stream(**_request(ask)) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _error(response)
                events = Events(ask.answer)
                async for line in response.aiter_lines():
                    if (piece := events.read(line)) is not None:
                        yield piece
                events.check_ended()


def _options(place: Endpoint, timeout_seconds: float) -> dict[str, Any]:
    return {
        "base_url": place.url,
        "headers": place.headers,
        "timeout": httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, _CONNECT_SECONDS)),
        "verify": place.ssl_context() if place.is_secure else False,
        "trust_env": False,
    }


def _request(ask: Operation[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"method": ask.verb, "url": ask.path, "headers": dict(ask.headers)}
    if ask.verb == "GET":
        return {**found, "params": dict(ask.fields)}
    if ask.content is not None:
        return {**found, "content": ask.content}
    if ask.verb == "POST":
        found["headers"]["content-type"] = "application/json"
        found["content"] = _body(ask.fields)
    return found


def _body(fields: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(fields), default=_plain, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"JSON does not take this: {error}") from error


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def _answer(response: httpx.Response, ask: Operation[A]) -> A:
    if not response.is_success:
        raise _error(response)
    if ask.answer is StateBytes:
        return ask.answer.model_validate({"state": response.content})
    if response.status_code == 204:
        return ask.answer()
    try:
        return ask.answer.model_validate_json(response.content)
    except ValidationError as error:
        raise InternalError(f"the server's answer is not what nextchar answers: {error}") from error


def _error(response: httpx.Response) -> NextcharError:
    exact, told = response.headers.get("retry-after-ms", ""), response.headers.get("retry-after", "")
    try:
        body = response.json()
    except ValueError:
        body = None
    seconds = float(told) if told.isdecimal() else None
    seconds = int(exact) / 1000 if exact.isdecimal() else seconds
    return error_of(body, status=response.status_code, retry_after_seconds=seconds)


@contextmanager
def _failing(place: Endpoint) -> Generator[None]:
    """What httpx raises, as our errors."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise no_connection(place.url, error or type(error).__name__, code=UNREACHABLE) from error
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(f"{place.url} did not answer in time") from error
    except httpx.TransportError as error:
        raise no_connection(place.url, error or type(error).__name__, code=CONNECTION_LOST) from error
