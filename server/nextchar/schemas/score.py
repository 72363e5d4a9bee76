"""What requests for scores and distributions hold, and their answers."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.base import (
    ModelRequest,
    RequestOptions,
    ResponseModel,
    StateFields,
    Usage,
    omitted_if_none,
)
from nextchar.schemas.opaque_bytes import OpaqueBytes

BeginsAfter = Literal["begin", "context", "state"]


class ScoreFields(RequestOptions):
    input: list[str] = Field(
        min_length=1, description="The strings, scored independently.", examples=[["hello", "htktt"]]
    )
    include_end: bool = Field(False, description="Also score the end symbol (models trained on lines).")
    return_chars: bool = Field(False, description="Also give every character's log-probability.")


class ScoreRequest(ScoreFields, StateFields, ModelRequest):
    """Strings to score: log p of each, from the begin symbol or after a context."""

    context: str = Field("", description="Text before every string; conditions the score, is not scored.")


class NextRequest(StateFields, ModelRequest):
    """The distribution of the next character after a text."""

    input: str = Field(description="The text so far; may be empty.", examples=["To be, or not to b"])
    top: int | None = Field(None, ge=1, description="How many of the likeliest to give; all by default.")


class CharScore(ResponseModel):
    """One character of a scored string; the end symbol has `char` null and `special` "end".

    Offsets are in the text in the model's Unicode form: in symbols of the model, in code points, in bytes of
    UTF-8. They differ where symbols are bytes, or characters are beyond ASCII.
    """

    char: str | None
    offset: int
    code_point_offset: int
    byte_offset: int
    logprob: float
    special: str | None = omitted_if_none()


class Score(ResponseModel):
    """One string's score. `logprob` is natural; bits and perplexity are per scored symbol.

    `percentile`: how many in a hundred held-out strings of about this length had fewer bits per
    character; near 100 is text unlike what the model was trained on. Null where the card cannot tell.
    """

    index: int
    logprob: float
    bits_per_char: float
    perplexity: float
    num_chars: int
    num_unknown: int
    percentile: float | None = omitted_if_none()
    chars: list[CharScore] | None = omitted_if_none()


class ScoreResponse(ResponseModel):
    """`begins_after`: what the first character's probability is conditioned on: the begin symbol alone, a
    context, or a state. `includes_end`: whether the end symbol is part of each score.
    """

    object: str = "list"
    model: str
    model_version: str
    begins_after: BeginsAfter
    includes_end: bool
    data: list[Score]
    usage: Usage
    state: OpaqueBytes | None = omitted_if_none()


class NextChar(ResponseModel):
    """One possible next symbol; `special` is "end" or "unknown" where there is no character."""

    char: str | None
    id: int
    logprob: float
    probability: float
    special: str | None = omitted_if_none()


class NextResponse(ResponseModel):
    model: str
    model_version: str
    data: list[NextChar]
    entropy_bits: float
    usage: Usage
    state: OpaqueBytes | None = omitted_if_none()
