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


def describe_with(app: FastAPI, routes: Sequence[RestRoute]) -> None:
    """Makes the application's document that of the table, when it is asked for.

    To make the schemas of all routes takes longer than to open a model, and a server that starts needs none.
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
    """The schemas of the bodies and of the answers, and of what they refer to by name."""
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
    """The parts of the path, then the fields of the query: handlers read both from the request."""
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
    """Lists one after the other, objects field by field."""
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
