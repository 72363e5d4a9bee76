"""Makes the OpenAPI document: FastAPI's frame, with the bodies, answers and errors of the table of routes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from nextchar.rest.route import RestRoute

_COMPONENTS = "#/components/schemas/"
_JSON = "application/json"
_EVENTS = "text/event-stream"
_IN_BRACES = re.compile(r"\{(\w+)\}")
_MEANINGS = {
    400: "A field is invalid or unknown.",
    401: "The API key is missing, unknown or expired.",
    403: "The API key does not have the scope of this route.",
    404: "There is no such model, session or path.",
    408: "The body did not arrive in time.",
    409: "The request conflicts with what exists: the id is in use, the session has changed, or the state is "
    "of another model.",
    410: "The session has expired.",
    412: "The session is closing.",
    413: "The body, or a text in it, exceeds a limit.",
    422: "A character is not in the vocabulary, and the model or the server is strict.",
    424: "The generation failed.",
    429: "The queue is full, or the budget of the key is used up; Retry-After says when to retry.",
    500: "The server failed; its log has the cause.",
    503: "The server is loading, draining or full; Retry-After says when to retry.",
    504: "The request was not answered before its deadline.",
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds to wait before a retry.", "schema": {"type": "string"}}
}
_EVENT = {
    "description": "An event: its data is the JSON of a piece or an error; on /v1 the last one is [DONE].",
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string"}, "event": {"type": "string"}},
}
_ERRORS: dict[str, Any] = {
    "Error": {
        "description": "`code` is stable and meant for programs; `param` is the field at fault.",
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
        "description": "The format of the Open Inference Protocol; X-Error-Code is meant for programs.",
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
}


def describe_with(app: FastAPI, routes: Sequence[RestRoute]) -> None:
    """Makes the application's document from the table when it is first requested.

    The schemas of all routes take longer to make than a model to load; a server that starts needs none.
    """

    @lru_cache(maxsize=1)
    def document() -> dict[str, Any]:
        return _document(app, [route for route in routes if route.in_document])

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, routes: Sequence[RestRoute]) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    bodies, answers, definitions = _schemas(routes)
    for route in routes:
        for method in route.methods:
            operation = found["paths"][route.path][method.lower()]
            _add_parameters(route, operation)
            if route in bodies:
                operation["requestBody"] = _body(route, bodies[route])
            _add_answer(route, operation["responses"], answers.get(route))
            for part, more in route.document.items():
                operation[part] = _merged(operation.get(part), more)
            _add_errors(route, operation["responses"])
    found["components"] = {"schemas": dict(sorted({**definitions, **_ERRORS}.items()))}
    return found


def _schemas(
    routes: Sequence[RestRoute],
) -> tuple[dict[RestRoute, Any], dict[RestRoute, Any], dict[str, Any]]:
    """Makes the schemas of the bodies and of the answers; also returns those they refer to, by name."""
    bodies = [(route, "validation", TypeAdapter(route.body)) for route in routes if route.body is not None]
    answers = [
        (route, "serialization", TypeAdapter(route.answer)) for route in routes if route.answer is not None
    ]
    made, definitions = TypeAdapter.json_schemas(
        [*bodies, *answers],  # type: ignore[list-item]
        ref_template=_COMPONENTS + "{model}",
    )
    found: tuple[dict[RestRoute, Any], dict[RestRoute, Any]] = {}, {}
    for (route, mode), schema in made.items():
        found[mode == "serialization"][route] = schema
    return *found, definitions.get("$defs", {})


def _add_parameters(route: RestRoute, operation: dict[str, Any]) -> None:
    """Adds the parts of the path, then the fields of the query: handlers read both from the request."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _IN_BRACES.findall(route.path)
    ]
    if route.query is not None:
        fields = route.query.model_json_schema()["properties"].items()
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields
        ]
    if parameters:
        operation["parameters"] = parameters


def _body(route: RestRoute, schema: Any) -> dict[str, Any]:
    required = {"required": True} if route.body_required else {}
    return {**required, "content": {_JSON: {"schema": schema}}}


def _add_answer(route: RestRoute, responses: dict[str, Any], schema: Any) -> None:
    content = {} if schema is None else {_JSON: {"schema": schema}}
    if route.streams:
        content[_EVENTS] = {"schema": _EVENT}
    if content:
        responses[str(route.status)]["content"] = content


def _merged(ours: Any, more: Any) -> Any:
    """Merges two parts of the document: lists are joined, objects are merged by field."""
    if isinstance(ours, list):
        return [*ours, *more]
    if isinstance(ours, dict):
        return ours | {name: _merged(ours.get(name), value) for name, value in more.items()}
    return more


def _add_errors(route: RestRoute, responses: dict[str, Any]) -> None:
    schema = {"$ref": _COMPONENTS + ("InferenceError" if route.is_oip else "Error")}
    for status in route.errors:
        meaning = _MEANINGS.get(status) or HTTPStatus(status).phrase
        answer: dict[str, Any] = {"description": meaning, "content": {_JSON: {"schema": schema}}}
        if status in (429, 503):
            answer["headers"] = _RETRY_AFTER
        responses.setdefault(str(status), answer)
