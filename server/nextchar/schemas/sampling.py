"""Defines how characters are sampled: the fields that completions and samples of sessions share."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import RequestOptions
from nextchar.schemas.limits import MAX_INTEGER

MAX_STOPS = 4
MAX_STOP_TOKEN_IDS = 64
MAX_TOP_LOGPROBS = 20
MAX_PATTERN_CHARS = 4096
MAX_ALLOWED_CHARS = 4096
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1


class StreamOptions(BaseModel):
    """How a stream is cut into events, and whether it reports its usage."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    include_usage: bool = Field(default=False, description="Report the usage in the last event.")
    min_event_chars: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Send an event, after the first one, when there are this many characters.",
    )
    max_event_seconds: float = Field(
        default=0.05,
        ge=0,
        allow_inf_nan=False,
        description="Send an event with what there is after this many seconds.",
    )


_ABOUT = ("title", "description", "default", "examples")


def _accepted_by_validators(schema: dict[str, Any]) -> None:
    """Adds what the validators accept too: null for a default, one stop string in place of a list."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kept = {key: field.pop(key) for key in _ABOUT if key in field}
        choices = field.pop("anyOf", None) or [dict(field)]
        field.clear()
        if name == "stop":
            choices.append({"type": "string", "minLength": 1})
        if name not in required and {"type": "null"} not in choices:
            choices.append({"type": "null"})
        field |= kept | ({"anyOf": choices} if len(choices) > 1 else choices[0])


class SamplingFields(RequestOptions):
    """How characters are sampled, where a text ends, and what is returned."""

    model_config = ConfigDict(json_schema_extra=_accepted_by_validators)

    max_tokens: int = Field(
        16, ge=0, le=MAX_INTEGER, description="The largest number of characters to sample."
    )
    min_tokens: int = Field(
        0,
        ge=0,
        le=MAX_INTEGER,
        description="The number of characters before which nothing ends the text: no stop and no end symbol.",
    )
    temperature: float = Field(
        1.0,
        ge=0,
        le=2,
        description="Temperature of the distribution; 0 always samples the likeliest character.",
    )
    top_k: int = Field(
        0, ge=0, le=MAX_INTEGER, description="Sample from the k likeliest characters; 0 is all."
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="Sample from the smallest set of characters that has this probability."
    )
    min_p: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Sample from the characters with at least this share of the likeliest one's probability.",
    )
    seed: int | None = Field(
        None,
        ge=MIN_SEED,
        le=MAX_SEED,
        description="The same seed samples the same text, under any load; by default a random one.",
    )
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        fail_fast=True,
        default=[],
        max_length=MAX_STOPS,
        description="Up to 4 strings that end the completion; it does not include them.",
    )
    stop_token_ids: list[Annotated[int, Field(ge=0, le=MAX_INTEGER)]] = Field(
        fail_fast=True,
        default=[],
        max_length=MAX_STOP_TOKEN_IDS,
        description="Ids of characters that end the completion; it does not include them.",
    )
    include_stop_str_in_output: bool = Field(
        False, description="Include the stop string or character in the completion."
    )
    allowed_chars: Annotated[str, Field(min_length=1, max_length=MAX_ALLOWED_CHARS)] | None = Field(
        None,
        description="Sample only these characters, and the end symbol of models that were trained on lines.",
    )
    regex: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_CHARS)] | None = Field(
        None,
        description="The completion as a whole matches this pattern, within max_tokens. The syntax is "
        "Rust's, without look-around, back-references and word boundaries.",
        examples=["[a-z]+"],
    )
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] = Field(
        default={},
        description="Numbers that are added to log-probabilities before sampling; the keys are ids, or "
        "characters other than digits.",
    )
    presence_penalty: float = Field(
        0.0, ge=-2, le=2, description="Subtracted once from characters that were sampled before."
    )
    frequency_penalty: float = Field(
        0.0, ge=-2, le=2, description="Subtracted from a character for each time it was sampled before."
    )
    repetition_penalty: float = Field(
        1.0,
        gt=0,
        le=10,
        description="Factor on the log-probability of characters in the prompt and of those sampled before.",
    )
    logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Return the log-probability of each character, before temperature, and of this many of "
        "the likeliest ones.",
    )
    post_sampling_logprobs: bool = Field(
        False,
        description="Return the log-probabilities that were sampled from: after temperature, filters, bias, "
        "penalties and masks.",
    )
    return_token_ids: bool = Field(False, description="Also return the ids of the characters.")
    stream: bool = Field(False, description="Return the text as it is sampled, as server-sent events.")
    stream_options: StreamOptions = StreamOptions()

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, values: Any) -> Any:
        if isinstance(values, dict):
            known = cls.model_fields  # an unknown name is refused, whatever its value
            return {k: value for k, value in values.items() if value is not None or k not in known}
        return values

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _ends_agree(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise InvalidRequest(
                f"min_tokens must be at most max_tokens (min_tokens is {self.min_tokens}, max_tokens is "
                f"{self.max_tokens})",
                param="min_tokens",
            )
        ends = {"stop": self.stop, "stop_token_ids": self.stop_token_ids, "min_tokens": self.min_tokens}
        other = next((name for name, given in ends.items() if given), None)
        if self.regex is not None and other is not None:
            raise InvalidRequest(
                f"{other} cannot be combined with regex, which decides where the text ends; leave one out",
                param=other,
            )
        return self
