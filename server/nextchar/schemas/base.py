"""Defines what all requests and answers have in common, over REST and gRPC and on the command line.

Requests are strict: they allow no unknown field, no conversion of types and no number that is not finite.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from nextchar.errors import InvalidRequest
from nextchar.schemas.integer import Integer
from nextchar.schemas.limits import MAX_PRIORITY, MIN_PRIORITY
from nextchar.schemas.opaque_bytes import OpaqueBytes

R = TypeVar("R")

_MAX_SHOWN = 40


class RequestFields(BaseModel):
    """Base of all requests, and of groups of fields that several requests share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class RequestOptions(RequestFields):
    """The timeout and the priority of a request."""

    timeout: float | None = Field(
        default=None,
        gt=0,
        description="Seconds that the request may take; the server's own limit holds if it is shorter.",
    )
    priority: Integer = Field(
        default=0,
        ge=MIN_PRIORITY,
        le=MAX_PRIORITY,
        description="Of requests that wait, the lowest number is served first: above 0 for bulk work, below "
        "0 for urgent work.",
    )

    @property
    def options(self) -> "RequestOptions":
        """What the context of the request is made of."""
        return self

    @property
    def own_id(self) -> str | None:
        """The request id that the body has in place of that of the header, if any."""
        return None


ModelName = Annotated[
    str | None,
    AfterValidator(lambda name: name or None),
    Field(
        description="The model's name, or name:version; by default the model that /v1/models marks.",
        examples=["shakespeare"],
    ),
]


class ModelRequest(RequestOptions):
    model: ModelName = None


class StateFields(RequestFields):
    """The state that a client keeps in place of a session: the one to continue from, and the next one."""

    state: OpaqueBytes | None = Field(
        default=None,
        description="The state to continue from: that of an earlier answer, or a session's exported state.",
    )
    return_state: bool = Field(default=False, description="Return the state to continue from.")


class ResponseModel(BaseModel):
    """Base of all answers, and of their parts."""

    model_config = ConfigDict(frozen=True, defer_build=True)


def omitted_if_none(default: None = None) -> Any:
    """Declares a field that is left out of the JSON while it is None."""
    return Field(default, exclude_if=lambda value: value is None)


class Usage(ResponseModel):
    """The number of characters read, sampled and both, under the names that OpenAI's clients read."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int


def make_usage(num_read: int, num_sampled: int = 0) -> Usage:
    """Makes the usage of a request, with its total."""
    return Usage(prompt_tokens=num_read, completion_tokens=num_sampled, total_tokens=num_read + num_sampled)


async def build_schemas() -> None:
    """Builds the validators that pydantic would build at the first request of each kind.

    It lets other work run in between, so that a server need not wait for it when it starts.
    """
    for schema in (*_kinds(RequestFields), *_kinds(ResponseModel)):
        schema.model_rebuild()
        await asyncio.sleep(0)


def _kinds(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for kind in of.__subclasses__():
        yield kind
        yield from _kinds(kind)


def validated(make: Callable[[], R]) -> R:
    """Runs a validation of pydantic and raises its first error as ours.

    Raises:
        InvalidRequest: names the field, what is wrong with it, and the limit.
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
    if isinstance(given, bool | int | float | str) and len(text := repr(given)) <= _MAX_SHOWN + 2:
        shown += f", is {text}"
    return InvalidRequest(shown, param=param)
