"""What `/v1/inspect` holds and answers; as `schemas`, strict and one for all doors."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.base import RequestOptions, ResponseModel, Usage
from nextchar.schemas.score import CharScore

StateName = Literal["hidden", "cell"]


class InspectRequest(RequestOptions):
    """A text, and which of the model's states to show after each of its characters."""

    model: str = Field(description="A model's name, or name:version.", examples=["shakespeare"])
    input: str = Field(description="The text; read from the begin symbol.", examples=["hello"])
    layers: list[int] | None = Field(
        None, min_length=1, description="Which layers, from 0; all by default.", examples=[[1]]
    )
    states: list[StateName] | None = Field(
        None, min_length=1, description="Of hidden and cell (LSTM only) those wanted; all by default."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float",
        description="Numbers, or base64 of little-endian float32, row after row, as embeddings have it.",
    )


class StateTrace(ResponseModel):
    """One state of one layer over the text: `values` [characters, num_units], after each character.

    In base64 they are float32 rows, one after the other.
    """

    layer: int
    state: StateName
    num_units: int
    values: list[list[float]] | str


class InspectResponse(ResponseModel):
    """`chars` as `/v1/score` gives them, what each was worth; `data` the states after each."""

    model: str
    model_version: str
    chars: list[CharScore]
    data: list[StateTrace]
    usage: Usage
