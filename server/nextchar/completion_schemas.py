"""What a request for a completion holds, and its answer: OpenAI's fields, and ours."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nextchar.opaque import OpaqueBytes
from nextchar.schemas import Answer, CallFields, ModelRequest, StateFields, Usage, absent

MAX_STOPS = 4
MAX_TOP_LOGPROBS = 20
_MIN_SEED, _MAX_SEED = -(2**63), 2**63 - 1


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


_ABOUT = ("title", "description", "default", "examples")


def _as_taken(schema: dict[str, Any]) -> None:
    """What the validators below take too: null for a default, one stop string for a list of one."""
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        kept = {
            key: field.pop(key) for key in ("title", "description", "default", "examples") if key in field
        }
        choices = field.pop("anyOf", None) or [dict(field)]
        field.clear()
        if name == "stop":
            choices.append({"type": "string", "minLength": 1})
        if name not in required and {"type": "null"} not in choices:
            choices.append({"type": "null"})
        field |= kept | ({"anyOf": choices} if len(choices) > 1 else choices[0])


class SamplingFields(CallFields):
    model_config = ConfigDict(json_schema_extra=_as_taken)

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
            known = cls.model_fields  # an unknown name is refused, whatever its value
            return {k: value for k, value in values.items() if value is not None or k not in known}
        return values

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class CompletionRequest(SamplingFields, StateFields, ModelRequest):
    """Text to go on with, and how. Fields that are null take their default."""

    prompt: str = Field("", description="The text to go on with.", examples=["ROMEO:"])
    echo: bool = Field(False, description="Give the prompt back before the completion.")
    session_id: str | None = Field(
        default=None, description="A session of yours, which reads the prompt and goes on with what is drawn."
    )

    if_revision: int | None = Field(
        default=None, ge=1, description="Only if the session is at this revision; session_moved if it is not."
    )

    @model_validator(mode="after")
    def _one_place_to_go_on_from(self) -> "CompletionRequest":
        if self.session_id is not None and (self.state is not None or self.return_state):
            raise ValueError("a completion goes on from session_id, or from state; not both")
        if self.session_id is None and self.if_revision is not None:
            raise ValueError("if_revision is of a session: session_id is missing")
        return self


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
    ended: bool = Field(default=False, exclude=True)  # by the end symbol, not by a stop string


class Completion(Answer):
    """A whole completion, or one event of a stream of them.

    `state` as asked for by return_state, or where the session of `session_id` stands: in the last event.
    """

    id: str
    object: str = "text_completion"
    created: int
    model: str
    model_version: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage | None = absent()
    state: OpaqueBytes | None = absent()
    session_id: str | None = absent()
    position: int | None = absent()
    revision: int | None = absent()
