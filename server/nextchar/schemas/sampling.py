"""How characters are drawn: the fields of completions and of sessions' samples."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import RequestOptions

MAX_STOPS = 4
MAX_STOP_TOKEN_IDS = 64
MAX_TOP_LOGPROBS = 20
MAX_PATTERN_CHARS = 4096
MAX_ALLOWED_CHARS = 4096
MIN_SEED, MAX_SEED = -(2**63), 2**63 - 1


class StreamOptions(BaseModel):
    """What a stream holds beside text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

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


_ABOUT = ("title", "description", "default", "examples")


def _as_taken(schema: dict[str, Any]) -> None:
    """What the validators below take too: null for a default, one stop string for a list of one."""
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
    model_config = ConfigDict(json_schema_extra=_as_taken)

    max_tokens: int = Field(16, ge=0, description="Most characters to sample.")
    min_tokens: int = Field(
        0, ge=0, description="Characters before which nothing ends the text: no stop, no end symbol."
    )
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
        ge=MIN_SEED,
        le=MAX_SEED,
        description="Same seed, same text, under any load. Random by default.",
    )
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[],
        max_length=MAX_STOPS,
        description="Up to 4 strings that end the completion, left out of it.",
    )
    stop_token_ids: list[Annotated[int, Field(ge=0)]] = Field(
        default=[],
        max_length=MAX_STOP_TOKEN_IDS,
        description="Ids of characters that end it, left out of it.",
    )
    include_stop_str_in_output: bool = Field(False, description="Leave what ended the text in it.")
    allowed_chars: Annotated[str, Field(min_length=1, max_length=MAX_ALLOWED_CHARS)] | None = Field(
        None, description="Draw these characters only, and the end symbol of models of lines."
    )
    regex: Annotated[str, Field(min_length=1, max_length=MAX_PATTERN_CHARS)] | None = Field(
        None,
        description="What is drawn matches this pattern as a whole, within max_tokens. Rust's syntax, "
        "without look-around, back-references and word boundaries.",
        examples=["[a-z]+"],
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
    post_sampling_logprobs: bool = Field(
        False,
        description="Of characters drawn, give the log-probabilities they were drawn with: after "
        "temperature, filters, bias, penalties and masks.",
    )
    return_token_ids: bool = Field(False, description="Also give the ids of the characters.")
    stream: bool = Field(False, description="Give the text as it is sampled, by server-sent events.")
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
                f"min_tokens is {self.min_tokens}, more than max_tokens, {self.max_tokens}",
                param="min_tokens",
            )
        ends = {"stop": self.stop, "stop_token_ids": self.stop_token_ids, "min_tokens": self.min_tokens}
        other = next((name for name, given in ends.items() if given), None)
        if self.regex is not None and other is not None:
            raise InvalidRequest(f"{other}: regex says where the text ends, so not with it", param=other)
        return self
