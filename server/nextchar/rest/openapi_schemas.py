"""What the OpenAPI document says of bodies and answers, made when the document is asked for.

To make the schemas of all routes takes longer than to open a model, and a server that starts needs none.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

COMPONENTS = "#/components/schemas/"
_JSON = "application/json"
JsonObject = dict[str, Any]
_Mode = Literal["validation", "serialization"]


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """One route's; `extra` is FastAPI's `openapi_extra`, empty until the document is made."""

    body: Any
    answer: Any
    query: type[BaseModel] | None
    status: int
    body_required: bool
    extra: dict[str, Any]


class OpenApiSchemas:
    """Those of all routes of one application."""

    def __init__(self) -> None:
        self._shapes: list[_Shape] = []

    def of(
        self,
        body: Any = None,
        answer: Any = None,
        *,
        query: type[BaseModel] | None = None,
        status: int = 200,
        body_required: bool = True,
        given: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """A route's `openapi_extra`.

        Args:
            body: the type of its JSON body.
            answer: the type of its JSON answer of that status.
            query: a schema whose fields are the parameters of its URL.
            given: what else is to be said, as OpenAPI has it.
        """
        shape = _Shape(body, answer, query, status, body_required, given or {})
        self._shapes.append(shape)
        return shape.extra

    def fill(self) -> dict[str, Any]:
        """Complete what `of` gave; the schemas that it refers to, by name."""
        wanted = [(s, "validation", TypeAdapter(s.body)) for s in self._shapes if s.body is not None]
        answers = [(s, "serialization", TypeAdapter(s.answer)) for s in self._shapes if s.answer is not None]
        made, definitions = TypeAdapter.json_schemas(
            [*wanted, *answers],  # type: ignore[list-item]
            ref_template=COMPONENTS + "{model}",
        )
        for shape in self._shapes:
            _fill(shape, made.get((shape, "validation")), made.get((shape, "serialization")))
        found: dict[str, Any] = definitions.get("$defs", {})
        return found


def _fill(shape: _Shape, body: Any, answer: Any) -> None:
    if body is not None:
        required = {"required": True} if shape.body_required else {}
        shape.extra["requestBody"] = {**required, "content": {_JSON: {"schema": body}}}
    if answer is not None:
        answers = shape.extra.setdefault("responses", {})
        answers[str(shape.status)] = {"content": {_JSON: {"schema": answer}}}
    if shape.query is not None:
        fields = shape.query.model_json_schema()["properties"].items()
        shape.extra["parameters"] = [
            {"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields
        ]
