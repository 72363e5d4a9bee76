"""Defines how characters are sampled: the fields that completions and samples of sessions share."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import RequestOptions
from nextchar.schemas.integer import WHOLE_ITEMS, Integer
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
    continuous_usage_stats: bool = Field(
        default=False,
        description="With include_usage, also report in each event the usage of its choice so far.",
    )
    include_obfuscation: bool = Field(
        default=False,
        description="Fill each event with random characters, so that its size does not reveal the length of "
        "its text.",
    )
    min_event_chars: Integer = Field(
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


def random_if_negative_one(seed: int | None) -> int | None:
    """Returns a seed; None for -1, by which clients of other servers ask for a random one."""
    return None if seed == -1 else seed


_ABOUT = ("title", "description", "default", "examples")


def _accepted_by_validators(schema: dict[str, Any]) -> None:
    """Adds what the validators accept too: null for a default, one stop string in place of a list."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kept = {key: field.pop(key) for key in _ABOUT if key in field}
        choices = field.pop("anyOf", None) or [dict(field)]
        field.clear()
        if name == "stop":
            choices.append({"type": "string"})
        if name not in required and {"type": "null"} not in choices:
            choices.append({"type": "null"})
        field |= kept | ({"anyOf": choices} if len(choices) > 1 else choices[0])


class SamplingFields(RequestOptions):
    """How characters are sampled, where a text ends, and what is returned."""

    model_config = ConfigDict(json_schema_extra=_accepted_by_validators)

    max_tokens: Integer = Field(
        16, ge=0, le=MAX_INTEGER, description="The largest number of characters to sample."
    )
    min_tokens: Integer = Field(
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
    top_k: Integer = Field(
        0, ge=-1, le=MAX_INTEGER, description="Sample from the k likeliest characters; 0 and -1 are all."
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
    typical_p: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Sample from the smallest set of characters that has this probability and whose "
        "log-probabilities are nearest to the mean (locally typical sampling).",
    )
    seed: Integer | None = Field(
        None,
        ge=MIN_SEED,
        le=MAX_SEED,
        description="The same seed samples the same text, under any load; by default, and for -1, a random "
        "one.",
    )
    stop: list[str] = Field(
        fail_fast=True,
        default=[],
        max_length=MAX_STOPS,
        description="Up to 4 strings that end the completion; it does not include them. An empty one "
        "is none.",
    )
    stop_token_ids: Annotated[list[Annotated[int, Field(ge=0, le=MAX_INTEGER)]], WHOLE_ITEMS] = Field(
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
    logprobs: Integer | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Return the log-probability of each character, before temperature, and of this many of "
        "the likeliest ones, among which the character itself is always listed too.",
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

    @field_validator("stop")
    @classmethod
    def _empty_is_none(cls, value: list[str]) -> list[str]:
        return [stop for stop in value if stop]

    @field_validator("seed")
    @classmethod
    def _random_seed(cls, value: int | None) -> int | None:
        return random_if_negative_one(value)

    @field_validator("top_k")
    @classmethod
    def _all_characters(cls, value: int) -> int:
        return max(value, 0)

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
