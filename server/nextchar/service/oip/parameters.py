"""Defines the parameters of requests and tensors, which the Open Inference Protocol leaves open.

A name that is not ours is accepted and has no effect: clients add their own, such as `headers`. Two kinds
are refused, because the answer would silently be another one: a name that is nearly one of ours, which is a
typing error, and one of an extension that this server lacks.
"""

from difflib import SequenceMatcher
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import RequestFields, RequestOptions
from nextchar.schemas.integer import Integer
from nextchar.schemas.limits import MAX_INTEGER, MAX_PRIORITY

MAX_LEVEL = MAX_PRIORITY + 1  # Triton counts priorities from 1, which is our default, 0
_MICROSECONDS = 1e6
_UINT64 = 2**64 - 1
MAX_OTHERS = 32  # parameters of one request or tensor that are not ours: looking at each takes time
_NEARLY = 0.85  # the share of letters in common from which on a name is a misspelt one of ours
_MAX_SHOWN = 40


Uint64 = Annotated[Integer, Field(ge=0, le=_UINT64)]


class OpenParameters(RequestFields):
    """Base of all parameters; null is the default of each."""

    model_config = ConfigDict(extra="allow")

    lacking: ClassVar[frozenset[str]] = frozenset()  # of Triton's extensions that this server has not

    @model_validator(mode="after")
    def _others_are_not_ours(self) -> Self:
        others = self.model_extra or {}  # none where the server is lenient
        if len(others) > MAX_OTHERS:
            raise InvalidRequest(
                f"there are {len(others)} unknown parameters in one place, the limit is {MAX_OTHERS}",
                param="parameters",
                code="too_many_items",
            )
        for name in others:
            shown = f"unknown parameter {name[:_MAX_SHOWN]!r}"
            if name in self.lacking:
                raise _refused(name, f"{shown}: this server does not have Triton's extension for it")
            meant = _meant(name, list(type(self).model_fields))
            if meant is not None:
                raise _refused(name, f"{shown}: did you mean {meant}? (names unlike ours are accepted)")
        return self


def _refused(name: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=name[:_MAX_SHOWN], code="unknown_field")


def _meant(name: str, known: list[str]) -> str | None:
    """Returns the parameter of ours that a name misspells, if it does: sequenceId, time_out, include_ends."""
    given = _letters(name[:_MAX_SHOWN])
    for own in known:
        if SequenceMatcher(None, given, _letters(own)).ratio() >= _NEARLY:
            return own
    return None


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


class InferParameters(OpenParameters):
    """The parameters of an infer request. Others are accepted and have no effect."""

    sequence_id: Uint64 | str | None = Field(
        default=0, description="The sequence of the request; 0 and the empty string are none."
    )
    sequence_start: bool | None = Field(
        default=False, description="Whether this is the first request of its sequence."
    )
    sequence_end: bool | None = Field(
        default=False, description="Whether this is the last request of its sequence."
    )
    adaptive: bool | None = Field(
        default=False,
        description="With sequence_start: learn the text of the sequence while it is read.",
    )
    priority: Annotated[Integer, Field(ge=0, le=MAX_LEVEL)] | None = Field(
        default=0,
        description="The priority in the queue: 1 is the highest; 0 stands for the default, 1.",
    )
    timeout: Uint64 | None = Field(
        default=0, description="The timeout in microseconds; 0 is the server's own timeout."
    )
    include_end: bool | None = Field(
        default=False, description="Include the end symbol in `score`, for models of lines."
    )
    binary_data_output: bool | None = Field(
        default=False, description="Send the outputs as bytes after the JSON."
    )
    triton_enable_empty_final_response: bool | None = Field(
        default=False, description="Mark the last response of a stream."
    )

    @property
    def options(self) -> RequestOptions:
        """What the context of the request is made of: seconds and levels of ours."""
        timeout, priority = (self.timeout or 0) / _MICROSECONDS, max(0, (self.priority or 0) - 1)
        return RequestOptions(timeout=timeout or None, priority=priority)


class InputParameters(OpenParameters):
    """The parameters of an input. Others are accepted and have no effect."""

    lacking = frozenset({"shared_memory_region"})

    binary_data_size: Annotated[Integer, Field(ge=0, le=MAX_INTEGER)] | None = Field(
        default=None, description="The number of bytes after the JSON that hold its elements (REST)."
    )
    content_type: str | None = Field(
        default=None, description="`base64` if the elements of `text` are so encoded; others mean nothing."
    )


class OutputParameters(OpenParameters):
    """The parameters of a requested output. Others are accepted and have no effect."""

    lacking = frozenset({"shared_memory_region", "classification"})

    binary_data: bool | None = Field(
        default=None, description="Send this output as bytes after the JSON (REST)."
    )
