"""The OpenAPI document: what FastAPI makes of the routes, with every status that an answer may have."""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nextchar.rest.errors import ERROR_STATUSES, is_oip, oip_status
from nextchar.rest.openapi_schemas import COMPONENTS, OpenApiSchemas

_JSON = "application/json"
_EVENTS = "text/event-stream"
_IN_BRACES = re.compile(r"\{(\w+)\}")
_STREAMS = ("/completions", "/sample", "/generate_stream")
_BODY_STATUSES = {408, 409, 410, 412, 413, 422}  # of calls that bring a body or a session
_MEANINGS = {
    400: "A field is wrong, or is none of ours.",
    401: "No key, or none that is known.",
    403: "The key may not do this.",
    404: "There is no such model, session or path.",
    408: "The body did not come in time.",
    409: "It does not fit what is there: the id is in use, others changed it, or it is of another model.",
    410: "The session has expired.",
    412: "The session is closing.",
    413: "The body, or a text in it, is over a limit.",
    422: "A character is outside the vocabulary, and the model or the server is strict.",
    424: "The generation failed.",
    429: "The line is full, or the caller's budget is used up; Retry-After says when to come back.",
    500: "The server failed; its log says why.",
    503: "Loading, draining, or full; Retry-After says when to come back.",
    504: "It was not done in time.",
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_EVENT = {
    "description": "Each event: its data is the JSON of a piece, at last [DONE] on /v1, or an error.",
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string"}, "event": {"type": "string"}},
}
_ERRORS: dict[str, Any] = {
    "Error": {
        "description": "`code` is stable and for programs, `param` the field at fault.",
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
    "InferenceError": {
        "description": "As the Open Inference Protocol has it; the header X-Error-Code is for programs.",
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
}


def describe_with(app: FastAPI, shapes: OpenApiSchemas) -> None:
    """Make the application's document this one."""

    @lru_cache(maxsize=1)
    def document() -> dict[str, Any]:
        return _document(app, shapes)

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, shapes: OpenApiSchemas) -> dict[str, Any]:
    made = shapes.fill()
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for path, operations in found["paths"].items():
        for operation in operations.values():
            _add_path_parameters(path, operation)
            _add_errors(path, operation)
            if path.endswith(_STREAMS):
                operation["responses"]["200"]["content"][_EVENTS] = {"schema": _EVENT}
    schemas |= {**made, **_ERRORS}
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def _add_path_parameters(path: str, operation: dict[str, Any]) -> None:
    """Handlers read them from the request: to be told of each, FastAPI would make a model of it."""
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _IN_BRACES.findall(path)
    ]
    if named:
        operation["parameters"] = [*named, *operation.get("parameters", [])]


def _add_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    schema = {"$ref": COMPONENTS + ("InferenceError" if is_oip(path) else "Error")}
    for status in sorted({oip_status(status, path) for status in _statuses(path, operation)}):
        meaning = _MEANINGS.get(status) or HTTPStatus(status).phrase
        answer: dict[str, Any] = {"description": meaning, "content": {_JSON: {"schema": schema}}}
        if status in (429, 503):
            answer["headers"] = _RETRY_AFTER
        responses.setdefault(str(status), answer)


def _statuses(path: str, operation: dict[str, Any]) -> set[int]:
    if "requestBody" in operation or "/sessions" in path:
        return set(ERROR_STATUSES)
    return set(ERROR_STATUSES) - _BODY_STATUSES
