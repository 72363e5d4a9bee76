"""Writes requests and reads answers, errors and event streams of REST."""

import base64
import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic

import httpx
from pydantic import ValidationError

from nextchar.client.endpoint import Endpoint
from nextchar.client.event_lines import LineSplitter
from nextchar.client.operations import A, C, Operation
from nextchar.client.wire_errors import (
    CONNECTION_LOST,
    NOT_OURS,
    UNREACHABLE,
    AnswerTimeout,
    connection_error,
    error_from_wire,
)
from nextchar.errors import InternalError, InvalidRequest, NextcharError
from nextchar.schemas.sessions import SessionState

_CONNECT_SECONDS = 5.0
_STATUS = {"invalid_request_error": 400, "rate_limit_error": 429, "timeout_error": 504}  # of an error's type


def http_options(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments of an httpx client."""
    return {
        "base_url": endpoint.url,
        "headers": endpoint.headers,
        "verify": endpoint.ssl_context() if endpoint.is_secure else False,
        "trust_env": False,
    }


def http_request(operation: Operation[Any], timeout_seconds: float) -> dict[str, Any]:
    """The arguments of a request of httpx.

    Raises:
        InvalidRequest: JSON cannot hold a value of the request.
    """
    seconds = operation.wait_seconds(timeout_seconds)
    request: dict[str, Any] = {
        "method": operation.http_method,
        "url": operation.path,
        "headers": operation.headers,
        "timeout": httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
    }
    if operation.http_method in ("GET", "DELETE") or operation.content is not None:
        in_path = operation.in_path
        request["params"] = {name: value for name, value in operation.fields.items() if name not in in_path}
    if operation.content is not None:
        request["content"] = operation.content
    elif operation.http_method == "POST":
        request["headers"]["content-type"] = "application/json"
        request["content"] = _json(operation.fields)
    return request


def read_answer(response: httpx.Response, operation: Operation[A]) -> A:
    """Reads the whole answer to a call.

    Raises:
        NextcharError: the server refused the call, or failed.
        InternalError: the answer is not what a nextchar server sends.
    """
    if not response.is_success:
        raise read_error(response)
    if operation.answer_type is SessionState:
        return operation.answer_type.model_validate({"state": response.content})
    if response.status_code == 204:
        return operation.answer_type()
    try:
        return operation.answer_type.model_validate_json(response.content)
    except ValidationError as error:
        raise InternalError(f"{response.url} did not answer as a nextchar server does: {error}") from error


def read_error(response: httpx.Response) -> NextcharError:
    """Reads the error that a response holds, and how long the server says to wait."""
    try:
        body = response.json()
    except ValueError:
        body = None
    seconds, milliseconds = (response.headers.get(name, "") for name in ("retry-after", "retry-after-ms"))
    wait = float(seconds) if seconds.isdecimal() else None
    wait = int(milliseconds) / 1000 if milliseconds.isdecimal() else wait
    revision = response.headers.get("x-session-revision", "")
    return _error(
        body,
        status=response.status_code,
        retry_after_seconds=wait,
        revision=int(revision) if revision.isdecimal() else None,
    )


class EventReader(Generic[C]):
    """Reads a stream of server-sent events."""

    def __init__(self, answer_type: type[C]) -> None:
        self._answer_type = answer_type
        self._splitter = LineSplitter()
        self._has_ended = False

    def read(self, piece: bytes) -> Iterator[C]:
        """Yields the parts of the answer whose lines end in a piece, which may be cut anywhere.

        Raises:
            NextcharError: the server failed in the middle of the stream.
        """
        for line in self._splitter.lines(piece):
            if (part := self._part(line)) is not None:
                yield part

    def _part(self, line: str) -> C | None:
        """Returns the part of the answer in a line; None if it holds none."""
        if not line.startswith("data:"):
            return None
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            self._has_ended = True
            return None
        body = json.loads(data)
        if "error" in body:
            error = body["error"]
            status, wait = _STATUS.get(error.get("type"), 500), error.get("retry_after_seconds")
            known = wait if isinstance(wait, int | float) else None
            raise _error(body, status=status, retry_after_seconds=known)
        return self._answer_type.model_validate_json(data)

    def check_end(self) -> None:
        """Raises Unavailable if the stream broke off before its last event."""
        if not self._has_ended:
            text = "the connection was lost before the end of the stream"
            raise error_from_wire(CONNECTION_LOST, text, param=None, retry_after_seconds=None)


@contextmanager
def http_errors(endpoint: Endpoint) -> Generator[None]:
    """Raises what httpx raises as errors of nextchar."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise connection_error(endpoint.url, error or type(error).__name__, code=UNREACHABLE) from error
    except httpx.TimeoutException as error:
        raise AnswerTimeout(f"{endpoint.url} did not answer in time") from error
    except httpx.TransportError as error:
        raise connection_error(endpoint.url, error or type(error).__name__, code=CONNECTION_LOST) from error


def _json(fields: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(fields), default=_base64, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"JSON cannot hold a value of the request: {error}") from error


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"a field has a value of type {type(value).__name__}")


def _error(
    body: Any, *, status: int, retry_after_seconds: float | None, revision: int | None = None
) -> NextcharError:
    """The error in a body, which may be that of a proxy, or no JSON at all."""
    found = body.get("error") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        found = {"message": found or f"the server answered with status {status}"}
    code, param = found.get("code"), found.get("param")
    return error_from_wire(
        code if isinstance(code, str) else NOT_OURS,
        str(found.get("message")),
        param=param if isinstance(param, str) else None,
        retry_after_seconds=retry_after_seconds,
        status=status,
        revision=revision,
    )
