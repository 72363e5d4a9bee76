"""What all requests and answers are made of: one set of fields for REST, gRPC and the CLI.

Requests are strict: no unknown field, no converted type, no number that is not finite. The fields themselves
are in `score_schemas`, `completion_schemas` and `session_schemas`.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from nextchar.errors import InvalidRequest
from nextchar.schemas.limits import MAX_PRIORITY, MIN_PRIORITY
from nextchar.schemas.opaque_bytes import OpaqueBytes

R = TypeVar("R", bound=BaseModel)

_MAX_SHOWN = 40


class RequestFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class RequestOptions(RequestFields):
    """How long a call may take, and who goes first."""

    timeout: float | None = Field(
        default=None, gt=0, description="Seconds it may take; never longer than the server's own limit."
    )
    priority: int = Field(
        default=0,
        ge=MIN_PRIORITY,
        le=MAX_PRIORITY,
        description="Of requests that wait, the lowest number goes first: bulk work above 0, haste below.",
    )


class ModelRequest(RequestOptions):
    model: str = Field(description="A model's name, or name:version.", examples=["shakespeare"])


class StateFields(RequestFields):
    """A session that the client keeps itself: the state it was given last time, and the next one."""

    state: OpaqueBytes | None = Field(
        default=None, description="Go on from here: what an earlier call gave, or a session's exported state."
    )
    return_state: bool = Field(default=False, description="Give the state to go on from.")


class ResponseModel(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


def omitted_if_none(default: None = None) -> Any:
    """A field that is left out of the JSON while it is None."""
    return Field(default, exclude_if=lambda value: value is None)


class Usage(ResponseModel):
    """Characters read and characters sampled, under the names OpenAI clients count."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int


def make_usage(num_read: int, num_sampled: int = 0) -> Usage:
    return Usage(prompt_tokens=num_read, completion_tokens=num_sampled, total_tokens=num_read + num_sampled)


async def build_schemas() -> None:
    """What pydantic would make at the first request of each kind, made between other work.

    A server that starts need not wait for it.
    """
    for schema in (*_kinds(RequestFields), *_kinds(ResponseModel)):
        schema.model_rebuild()
        await asyncio.sleep(0)


def _kinds(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


def validated(make: Callable[[], R]) -> R:
    """Run a pydantic validation; its first complaint becomes our error.

    Raises:
        InvalidRequest: naming the field, what is wrong, and the limit.
    """
    try:
        return make()
    except ValidationError as error:
        raise _explain(error.errors(include_url=False)[0]) from None


def _explain(first: ErrorDetails) -> InvalidRequest:
    kind, message = first["type"], first["msg"]
    param = ".".join(str(part) for part in first["loc"]) or None
    if kind == "extra_forbidden":
        return InvalidRequest(f"unknown field {param!r}", param=param, code="unknown_field")
    if kind == "json_invalid":
        detail = message.removeprefix("Invalid JSON: ")
        return InvalidRequest(f"the body is not valid JSON: {detail}", code="invalid_json")
    if kind == "value_error":
        message = message.removeprefix("Value error, ")
    shown = f"{param or 'the body'}: {message[:1].lower()}{message[1:]}"
    given = first["input"]
    if isinstance(given, bool | int | float) or (isinstance(given, str) and len(given) <= _MAX_SHOWN):
        shown += f", is {given!r}"
    return InvalidRequest(shown, param=param)
