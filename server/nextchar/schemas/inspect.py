"""Defines the request and the answer of `/v1/inspect`."""

from typing import Annotated, Literal

from pydantic import Field

from nextchar.schemas.base import ModelRequest, ResponseModel, Usage, omitted_if_none
from nextchar.schemas.integer import WHOLE_ITEMS
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.rows import Listed
from nextchar.schemas.score import CharScore

StateName = Literal["hidden", "cell"]
GateName = Literal["input", "forget", "output", "reset", "update"]


class InspectRequest(ModelRequest):
    """A text, and which of the model's states to return after each of its characters."""

    input: str = Field(description="The text, which is read from the begin symbol on.", examples=["hello"])
    layers: Annotated[list[Annotated[int, Field(le=MAX_INTEGER)]] | None, WHOLE_ITEMS] = Field(
        None,
        fail_fast=True,
        min_length=1,
        description="The layers to return, counted from 0; by default all.",
        examples=[[1]],
    )
    states: list[StateName] | None = Field(
        None,
        fail_fast=True,
        min_length=1,
        description="The states to return: hidden, and cell of an LSTM; by default all, or none if `gates` "
        "is given.",
    )
    gates: list[GateName] | None = Field(
        None,
        fail_fast=True,
        min_length=1,
        description="The gates to return: input, forget and output of an LSTM, forget and output of a "
        "coupled LSTM, reset and update of a GRU; by default none.",
        examples=[["forget"]],
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float",
        description="The values as numbers, or as base64 of little-endian float32 in row-major order.",
    )


class StateTrace(ResponseModel):
    """One state of one layer after each character: `values` [characters, num_units].

    With `encoding_format` base64 they are the bytes of a float32 array in row-major order.
    """

    layer: int
    state: StateName
    num_units: int
    values: list[list[float]] | str


class GateTrace(ResponseModel):
    """One gate of one layer while each character is read: `values` [characters, num_units], 0 to 1.

    They are encoded as those of a state.
    """

    layer: int
    gate: GateName
    num_units: int
    values: list[list[float]] | str


class InspectResponse(ResponseModel):
    """The log-probability of each character, as in `/v1/score`, the states after each, and requested gates.

    `case_folding` is lower if the model reads all text in lower case.
    """

    model: str
    model_version: str
    chars: Listed[CharScore]
    data: list[StateTrace]
    gates: list[GateTrace] | None = omitted_if_none()
    usage: Usage
    case_folding: str | None = omitted_if_none()
