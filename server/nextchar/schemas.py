"""What a request may hold and what an answer holds: one set of fields for REST, gRPC and the CLI.

Requests are strict: no unknown field, no converted type, no number that is not finite.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from nextchar.errors import InvalidRequest

MAX_STOPS = 4
MAX_TOP_LOGPROBS = 20
R = TypeVar("R", bound=BaseModel)

_MAX_SHOWN = 40
_MIN_SEED, _MAX_SEED = -(2**63), 2**63 - 1


class RequestFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _Request(RequestFields):
    model: str = Field(description="A model's name, or name:version.", examples=["shakespeare"])


class ScoreFields(RequestFields):
    input: list[str] = Field(
        min_length=1, description="The strings, scored independently.", examples=[["hello", "htktt"]]
    )
    include_end: bool = Field(False, description="Also score the end symbol (models trained on lines).")
    return_chars: bool = Field(False, description="Also give every character's log-probability.")


class ScoreRequest(ScoreFields, _Request):
    """Strings to score: log p of each, from the begin symbol or after a context."""

    context: str = Field("", description="Text before every string; conditions the score, is not scored.")


class NextRequest(_Request):
    """The distribution of the next character after a text."""

    input: str = Field(description="The text so far; may be empty.", examples=["To be, or not to b"])
    top: int | None = Field(None, ge=1, description="How many of the likeliest to give; all by default.")


class StreamOptions(BaseModel):
    """What a stream holds beside text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    include_usage: bool = False
    min_event_chars: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="After the first character, send an event when there are so many.",
    )
    max_event_seconds: float = Field(
        default=0.05, ge=0, allow_inf_nan=False, description="Or send what there is after so long."
    )


class SamplingFields(RequestFields):
    max_tokens: int = Field(16, ge=0, description="Most characters to sample.")
    temperature: float = Field(1.0, ge=0, le=2, description="0 takes the likeliest character each time.")
    top_k: int = Field(0, ge=0, description="Keep the k likeliest characters; 0 keeps all.")
    top_p: float = Field(
        1.0, gt=0, le=1, description="Keep the fewest characters that reach this probability."
    )
    min_p: float = Field(
        0.0, ge=0, le=1, description="Keep characters at least this likely beside the likeliest."
    )
    seed: int | None = Field(
        None,
        ge=_MIN_SEED,
        le=_MAX_SEED,
        description="Same seed, same text, under any load. Random by default.",
    )
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        max_length=MAX_STOPS,
        description="Up to 4 strings that end the completion, left out of it.",
    )
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] = Field(
        default={},
        description="Added to a character's log-probability before it is drawn; keys are ids, or characters "
        "that are no digits.",
    )
    presence_penalty: float = Field(
        0.0, ge=-2, le=2, description="Taken from characters that were drawn before."
    )
    frequency_penalty: float = Field(
        0.0, ge=-2, le=2, description="Taken from a character for each time it was drawn before."
    )
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        le=10,
        description="What the log-probability of a character in the prompt or drawn before is multiplied by.",
    )
    logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Give each character's log-probability (of the model itself, before temperature), and as "
        "many of the likeliest.",
    )
    stream: bool = Field(False, description="Give the text as it is sampled, by server-sent events.")
    stream_options: StreamOptions = StreamOptions()

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {name: value for name, value in values.items() if value is not None}
        return values

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class CompletionRequest(SamplingFields, _Request):
    """Text to go on with, and how. Fields that are null take their default."""

    prompt: str = Field("", description="The text to go on with.", examples=["ROMEO:"])
    echo: bool = Field(False, description="Give the prompt back before the completion.")


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


def absent(default: None = None) -> Any:
    """A field that is left out of the JSON while it is None."""
    return Field(default, exclude_if=lambda value: value is None)


class Usage(Answer):
    """Characters read and characters sampled, under the names OpenAI clients count."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int


def make_usage(num_read: int, num_sampled: int = 0) -> Usage:
    return Usage(prompt_tokens=num_read, completion_tokens=num_sampled, total_tokens=num_read + num_sampled)


class CharScore(Answer):
    """One character of a scored string; the end symbol has `char` null and `special` "end"."""

    char: str | None
    offset: int
    logprob: float
    special: str | None = absent()


class Score(Answer):
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
    percentile: float | None = absent()
    chars: list[CharScore] | None = absent()


class ScoreResponse(Answer):
    object: str = "list"
    model: str
    model_version: str
    data: list[Score]
    usage: Usage


class NextChar(Answer):
    """One possible next symbol; `special` is "end" or "unknown" where there is no character."""

    char: str | None
    id: int
    logprob: float
    probability: float
    special: str | None = absent()


class NextResponse(Answer):
    model: str
    model_version: str
    data: list[NextChar]
    entropy_bits: float
    usage: Usage


class Logprobs(Answer):
    """As OpenAI's; a token is a character."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class Choice(Answer):
    text: str
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


class Completion(Answer):
    """A whole completion, or one event of a stream of them."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    model_version: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage | None = absent()


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
    shown = f"{param or 'the body'}: {message[:1].lower()}{message[1:]}"
    given = first["input"]
    if isinstance(given, bool | int | float) or (isinstance(given, str) and len(given) <= _MAX_SHOWN):
        shown += f", is {given!r}"
    return InvalidRequest(shown, param=param)
