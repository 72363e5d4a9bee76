"""Defines the requests and answers of `/v1/score` and `/v1/next`."""

from typing import Literal

from pydantic import Field

from nextchar.schemas.adaptive import Adaptive
from nextchar.schemas.base import (
    ModelRequest,
    RequestOptions,
    ResponseModel,
    StateFields,
    Usage,
    omitted_if_none,
)
from nextchar.schemas.integer import Integer
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.opaque_bytes import OpaqueBytes
from nextchar.schemas.rows import Listed

BeginsAfter = Literal["begin", "context", "state"]


class ScoreFields(RequestOptions):
    """The fields that scores have in common, of a model or of a session."""

    input: list[str] = Field(
        fail_fast=True,
        min_length=1,
        description="The strings, which are scored independently of each other.",
        examples=[["hello", "htktt"]],
    )
    include_end: bool = Field(False, description="Also score the end symbol (models trained on lines).")
    return_chars: bool = Field(False, description="Also return the log-probability of each character.")


class ScoreRequest(ScoreFields, StateFields, ModelRequest):
    """Strings to score: returns the log-probability of each, from the begin symbol or after a context."""

    context: str = Field(
        "", description="Text before every string. The scores are conditioned on it; it is not scored."
    )
    adaptive: Adaptive = Field(
        default=None,
        description="Learn the text while it is read: the strings are one text, in their order, and each is "
        "scored after those before it. True, or an object with orders, window and learn_drawn.",
    )


class NextRequest(StateFields, ModelRequest):
    """A text: returns the distribution of the character after it."""

    adaptive: Adaptive = None
    input: str = Field(description="The text so far; may be empty.", examples=["To be, or not to b"])
    top: Integer | None = Field(
        None,
        ge=1,
        le=MAX_INTEGER,
        description="How many of the likeliest characters to return; by default all.",
    )


class CharScore(ResponseModel):
    """One character of a scored string; the end symbol has `char` null and `special` "end".

    The offsets count the model's symbols, code points and bytes of UTF-8 in the text after Unicode
    normalization. They differ where the symbols are bytes, and after characters that are not ASCII.
    `model_logprob` is that of the network alone, where the text is learned.
    """

    char: str | None
    offset: int
    code_point_offset: int
    byte_offset: int
    logprob: float
    special: str | None = omitted_if_none()
    model_logprob: float | None = omitted_if_none()


class Score(ResponseModel):
    """The score of one string. `logprob` is a natural logarithm; bits and perplexity are per scored symbol.

    `percentile` is the percentage of normal, held-out strings of about this length that had fewer bits per
    character; a text near 100 is unlike what the model was trained on. `p_value` is the share of normal
    strings of exactly this length that are at least as surprising; a verdict at a p-value below 0.01 is wrong
    for one normal string in a hundred. It is never 0. Both are null after a context or a state, for a string
    without symbols, for a text that is learned, and if the model card has no calibration. `model_logprob` is
    the log-probability of the network alone, where the text is learned.
    """

    index: int
    logprob: float
    bits_per_char: float
    perplexity: float
    num_chars: int
    num_unknown: int
    percentile: float | None = omitted_if_none()
    p_value: float | None = omitted_if_none()
    chars: Listed[CharScore] | None = omitted_if_none()
    model_logprob: float | None = omitted_if_none()


class ScoreResponse(ResponseModel):
    """The score of each string.

    `begins_after` says what the first character is conditioned on: the begin symbol alone, a context or a
    state. `includes_end` says whether the end symbol is a part of each score. `case_folding` is lower if the
    model reads all text in lower case.
    """

    object: str = "list"
    model: str
    model_version: str
    begins_after: BeginsAfter
    includes_end: bool
    data: Listed[Score]
    usage: Usage
    case_folding: str | None = omitted_if_none()
    state: OpaqueBytes | None = omitted_if_none()


class NextChar(ResponseModel):
    """One possible next symbol; `special` is "end" or "unknown" where there is no character.

    `model_logprob` is that of the network alone, where the text is learned.
    """

    char: str | None
    id: int
    logprob: float
    probability: float
    special: str | None = omitted_if_none()
    model_logprob: float | None = omitted_if_none()


class NextResponse(ResponseModel):
    """The likeliest next symbols, the likeliest first, and the entropy of the whole distribution.

    `case_folding` is lower if the model reads all text in lower case.
    """

    model: str
    model_version: str
    data: Listed[NextChar]
    entropy_bits: float
    usage: Usage
    case_folding: str | None = omitted_if_none()
    state: OpaqueBytes | None = omitted_if_none()
