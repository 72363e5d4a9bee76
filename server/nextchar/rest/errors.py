"""Converts errors to HTTP responses: in OpenAI's format, under /v2 in that of the Open Inference Protocol."""

import re
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from nextchar.errors import (
    AuthenticationFailed,
    ClientGone,
    DeadlineExceeded,
    InputTooLarge,
    InvalidRequest,
    ModelFileError,
    ModelNotFound,
    NextcharError,
    OutcomeUnknown,
    PermissionDenied,
    QueueFull,
    RequestTimeout,
    RouteNotFound,
    SessionBusy,
    SessionClosing,
    SessionEvicted,
    SessionExists,
    SessionExpired,
    SessionLimit,
    SessionMoved,
    SessionNotFound,
    StateInvalid,
    StateModelMismatch,
    Unavailable,
    UnknownCharacter,
    UnsupportedMediaType,
)
from nextchar.rest.http.content_coding import CODINGS
from nextchar.schemas.sessions import SESSION_HEADER, is_session_id

# The first class that an error is an instance of gives its status and OpenAI's error type.
_ANSWERS: tuple[tuple[type[NextcharError], int, str], ...] = (
    (UnsupportedMediaType, 415, "invalid_request_error"),
    (UnknownCharacter, 422, "invalid_request_error"),
    (InputTooLarge, 413, "invalid_request_error"),
    (InvalidRequest, 400, "invalid_request_error"),
    (ModelNotFound, 404, "invalid_request_error"),
    (RouteNotFound, 404, "invalid_request_error"),
    (AuthenticationFailed, 401, "authentication_error"),
    (PermissionDenied, 403, "permission_error"),
    (SessionNotFound, 404, "invalid_request_error"),
    (SessionExpired, 410, "invalid_request_error"),
    (SessionExists, 409, "invalid_request_error"),
    (SessionEvicted, 410, "invalid_request_error"),
    (SessionBusy, 409, "invalid_request_error"),
    (SessionMoved, 409, "invalid_request_error"),
    (SessionClosing, 412, "invalid_request_error"),
    (StateModelMismatch, 409, "invalid_request_error"),
    (StateInvalid, 400, "invalid_request_error"),
    (SessionLimit, 503, "overloaded_error"),
    (QueueFull, 429, "rate_limit_error"),
    (Unavailable, 503, "unavailable_error"),
    (RequestTimeout, 408, "timeout_error"),
    (ModelFileError, 400, "invalid_request_error"),
    (DeadlineExceeded, 504, "timeout_error"),
    (ClientGone, 499, "client_error"),
    (OutcomeUnknown, 500, "server_error"),
    (NextcharError, 500, "server_error"),
)

_Retryable = QueueFull | Unavailable | SessionLimit  # those say when to retry
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_SESSION_PATH = re.compile(r"/v1/sessions/([^/]+)")
_MAX_SHOWN = 128  # characters of a path, in an error
_NO_CHAT = "these models continue text and hold no chat: send the text as prompt to /v1/completions"
_NO_EMBEDDING = (
    "these models make no embeddings: /v1/inspect returns hidden states, /v1/score log-probabilities"
)
# Where clients of other servers find what they look for, by the end of the path that they ask for.
_ELSEWHERE = {
    "/chat/completions": _NO_CHAT,
    "/responses": _NO_CHAT,
    "/v1/messages": _NO_CHAT,
    "/api/chat": _NO_CHAT,
    "/embeddings": _NO_EMBEDDING,
    "/embed": _NO_EMBEDDING,
    "/completions": "completions are POST /v1/completions; the base URL of OpenAI's clients ends in /v1",
    "/completion": "completions are POST /v1/completions",
    "/api/generate": "completions are POST /v1/completions",
    "/generate": "completions are POST /v1/completions or /v2/models/{model}/generate",
    "/models": "models are listed at GET /v1/models; the base URL of OpenAI's clients ends in /v1",
    "/api/tags": "models are listed at GET /v1/models",
    "/v1/tokenize": "ids are at POST /tokenize",
    "/v1/detokenize": "texts of ids are at POST /detokenize",
}
# The generate extension has its own statuses for an invalid request and for a generation that fails.
_GENERATE = ("/generate", "/generate_stream")
_GENERATE_STATUSES = {400: 422, 500: 424}

# Every status that a client can receive from a /v1 route; 499 is for a client that has disconnected.
ERROR_STATUSES = sorted({status for _, status, _ in _ANSWERS} - {499})


def event_body(error: NextcharError) -> dict[str, dict[str, Any]]:
    """Makes the JSON of an error that is an event of a stream, which has no header to say when to retry."""
    body: dict[str, dict[str, Any]] = {**error_body(error)}
    if isinstance(error, _Retryable):
        body["error"] = {**body["error"], "retry_after_seconds": round(error.retry_after_seconds, 3)}
    return body


def session_header(session_id: str) -> dict[str, str]:
    """Returns the header that names a session; none for what is no id, which a header may not hold."""
    return {SESSION_HEADER: session_id} if is_session_id(session_id) else {}


def error_body(error: NextcharError) -> dict[str, dict[str, str | None]]:
    """Makes the JSON body of an error."""
    _, kind = _answer(error)
    body = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    return {"error": body}


def error_response(error: NextcharError, path: str = "", session_id: str = "") -> Response:
    """Makes the response to a request of a path, or of one that used a session."""
    status, _ = _answer(error)
    of_path = _SESSION_PATH.match(path)
    headers = session_header(session_id if of_path is None else of_path[1])
    if isinstance(error, _Retryable):
        # The standard header holds whole seconds only; OpenAI's clients read the second one first.
        headers["Retry-After"] = str(max(1, round(error.retry_after_seconds)))
        headers["Retry-After-Ms"] = str(max(1, round(error.retry_after_seconds * 1000)))
    if status == 500:  # what was done is not known, so clients that try again by themselves must not
        headers["X-Should-Retry"] = "false"
    if isinstance(error, OutcomeUnknown) and error.revision is not None:
        headers["X-Session-Revision"] = str(error.revision)
    if isinstance(error, UnsupportedMediaType) and error.param == "Content-Encoding":
        headers["Accept-Encoding"] = CODINGS
    if isinstance(error, AuthenticationFailed):
        headers["WWW-Authenticate"] = "Bearer"
    if not is_oip(path):
        return JSONResponse(error_body(error), status, headers)
    status = oip_status(status, path)
    headers["X-Error-Code"] = error.code
    return JSONResponse({"error": error.message}, status, headers)


async def answer_error(request: Request, error: Exception) -> Response:
    """Handles our errors for FastAPI."""
    assert isinstance(error, NextcharError)
    return error_response(error, request.scope["path"], getattr(request.state, "session_id", ""))


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Handles what the framework refuses: an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    code, message = codes.get(error.status_code, "http_error"), str(error.detail)
    shown = f"{request.method} {request.url.path[:_MAX_SHOWN]}"
    if error.status_code == 404 and (place := _without_slash(request)):
        return Response(status_code=307, headers={"Location": place})
    if error.status_code == 404:
        message = f"there is no route {shown}; {_elsewhere(request.url.path)}"
    if error.status_code == 405:
        methods = _methods(request)
        error.headers = {"Allow": methods}
        message = f"there is no route {shown}; the methods of this path are {methods}"
    if is_oip(request.url.path):
        headers = {**(error.headers or {}), "X-Error-Code": code}
        return JSONResponse({"error": message}, error.status_code, headers)
    body = {
        "message": message,
        "type": "invalid_request_error" if error.status_code < 500 else "server_error",
        "param": None,
        "code": code,
    }
    return JSONResponse({"error": body}, error.status_code, error.headers)


def _elsewhere(path: str) -> str:
    """Says where a client finds what it asks for under a path that there is not."""
    ends = (where for end, where in _ELSEWHERE.items() if path.rstrip("/").endswith(end))
    return next(ends, "/docs lists the routes")


def _without_slash(request: Request) -> str:
    """Returns where a path is that a request has with a slash at its end, as seen from there; "" if nowhere.

    It is relative: a proxy in front may have another name, another scheme and a prefix of its own.
    """
    path, query = request.scope["path"], request.url.query
    known = {**request.scope, "path": path.removesuffix("/")}
    if not path.endswith("/") or all(r.matches(known)[0] is Match.NONE for r in request.app.routes):
        return ""
    last = quote(path.removesuffix("/").rpartition("/")[2])
    return f"../{last}?{query}" if query else f"../{last}"


def _methods(request: Request) -> str:
    """Lists all methods of a path; the framework lists those of the first route only.

    HEAD is answered as GET (`answering_head`).
    """
    routes = request.app.routes
    found = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return ", ".join(sorted({*found, "HEAD"} if "GET" in found else found))


async def answer_bug(request: Request, _error: Exception) -> Response:
    """Handles an unexpected error: its text goes to the log, not to the client."""
    return error_response(NextcharError("the server failed; the cause is in its log"), request.scope["path"])


def is_oip(path: str) -> bool:
    """Whether the path is of the Open Inference Protocol, whose errors have a format of their own."""
    return path == "/v2" or path.startswith("/v2/")


def oip_status(status: int, path: str) -> int:
    """Returns the status that a /v2 path has in place of one of /v1."""
    return _GENERATE_STATUSES.get(status, status) if path.endswith(_GENERATE) else status


def _answer(error: NextcharError) -> tuple[int, str]:
    return next((status, kind) for cls, status, kind in _ANSWERS if isinstance(error, cls))
