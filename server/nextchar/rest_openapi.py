"""The OpenAPI document: what FastAPI makes of the routes, with every status that an answer may have."""

from collections.abc import Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nextchar.rest_errors import ERROR_STATUSES, is_oip, oip_status

_COMPONENTS = "#/components/schemas/"
_JSON = "application/json"
_EVENTS = "text/event-stream"
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


def describe_with(app: FastAPI) -> None:
    """Make the application's document this one."""

    @lru_cache(maxsize=1)
    def document() -> dict[str, Any]:
        return _document(app)

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; ours are in one shape
        schemas.pop(unused, None)
    for path, operations in found["paths"].items():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = _as_component(content["schema"], schemas)
            _add_errors(path, operation)
            if path.endswith(_STREAMS):
                operation["responses"]["200"]["content"][_EVENTS] = {"schema": _EVENT}
    schemas |= _ERRORS
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def _as_component(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A body's schema among the others, and a reference to it."""
    if "title" not in schema:
        return schema
    own = {name: value for name, value in schema.items() if name != "$defs"}
    for name, value in {**schema.get("$defs", {}), schema["title"]: own}.items():
        for reference in _references(value):
            reference["$ref"] = reference["$ref"].replace("#/$defs/", _COMPONENTS)
        schemas.setdefault(name, value)
    return {"$ref": _COMPONENTS + schema["title"]}


def _references(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _add_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    schema = {"$ref": _COMPONENTS + ("InferenceError" if is_oip(path) else "Error")}
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
