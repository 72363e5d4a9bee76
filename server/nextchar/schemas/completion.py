"""What a request for a completion holds, and its answer: OpenAI's fields, and ours."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.base import ModelRequest, ResponseModel, StateFields, Usage, omitted_if_none
from nextchar.schemas.opaque_bytes import OpaqueBytes
from nextchar.schemas.sampling import MAX_TOP_LOGPROBS, SamplingFields

MAX_CHOICES = 128

TokenIds = list[Annotated[int, Field(ge=0)]]


class CompletionRequest(SamplingFields, StateFields, ModelRequest):
    """Texts to go on with, and how. Fields that are null take their default."""

    prompt: str | list[str] | TokenIds | list[TokenIds] = Field(
        "",
        description="The text to go on with, or its ids; or several of either.",
        examples=["ROMEO:"],
    )
    n: int = Field(1, ge=1, le=MAX_CHOICES, description="How many completions of each prompt.")
    best_of: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHOICES,
        description="Sample so many of each prompt and give the n best, by log-probability a character.",
    )
    echo: bool = Field(False, description="Give the prompt back before the completion.")
    prompt_logprobs: int | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Give the log-probability of each character of the prompt, and as many of the likeliest.",
    )
    suffix: str | None = Field(None, description="Refused: the model reads from left to right.")
    user: str | None = Field(None, description="Taken, and not used.")
    request_id: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = Field(
        None, description="In place of the header X-Request-Id."
    )
    session_id: str | None = Field(
        default=None, description="A session of yours, which reads the prompt and goes on with what is drawn."
    )

    if_revision: int | None = Field(
        default=None, ge=1, description="Only if the session is at this revision; session_moved if it is not."
    )

    @property
    def num_samples(self) -> int:
        """How many completions of each prompt are sampled."""
        return self.best_of or self.n

    @property
    def is_whole(self) -> bool:
        """Whether the answer is known only at its end."""
        return self.num_samples > self.n or self.prompt_logprobs is not None

    @field_validator("prompt", mode="before")
    @classmethod
    def _is_a_prompt(cls, value: Any) -> Any:
        items = value if isinstance(value, list) else None
        if not (
            isinstance(value, str) or (items and (_all_str(items) or _all_ids(items) or _all_lists(items)))
        ):
            raise InvalidRequest(
                "prompt: input should be a valid string, a list of strings, a list of ids, or a list of "
                "lists of ids; a list holds one at least",
                param="prompt",
            )
        return value

    @field_validator("suffix")
    @classmethod
    def _nothing_after(cls, value: str | None) -> str | None:
        if value:
            raise InvalidRequest(
                "suffix: the model reads from left to right and cannot be told what comes after",
                param="suffix",
            )
        return value

    @model_validator(mode="after")
    def _goes_on_from_one_place(self) -> Self:
        if self.session_id is not None and (self.state is not None or self.return_state):
            raise ValueError("a completion goes on from session_id, or from state; not both")
        if self.session_id is None and self.if_revision is not None:
            raise ValueError("if_revision is of a session: session_id is missing")
        goes_on = self.session_id is not None or self.state is not None or self.return_state
        if goes_on and self.num_samples > 1:
            raise InvalidRequest("n: a completion that goes on from a session or a state is one", param="n")
        if goes_on and isinstance(self.prompt, list) and not _all_ids(self.prompt):
            raise InvalidRequest(
                "prompt: a completion that goes on from a session or a state has one", param="prompt"
            )
        return self

    @model_validator(mode="after")
    def _choices_agree(self) -> Self:
        if self.num_samples < self.n:
            raise InvalidRequest(f"best_of is {self.best_of}, fewer than n, {self.n}", param="best_of")
        if self.stream and self.is_whole:
            name = "best_of" if self.num_samples > self.n else "prompt_logprobs"
            raise InvalidRequest(f"{name}: it is known at the end only, so not with stream", param=name)
        return self


def _all_str(items: list[Any]) -> bool:
    return all(isinstance(item, str) for item in items)


def _all_ids(items: list[Any]) -> bool:
    return all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in items)


def _all_lists(items: list[Any]) -> bool:
    return all(isinstance(item, list) and _all_ids(item) for item in items)


class Logprobs(ResponseModel):
    """As OpenAI's; a token is a character.

    The end symbol, where it was drawn, is the last token, with no text. Only the begin symbol of a prompt
    given as ids has no log-probability.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class PromptLogprob(ResponseModel):
    """What one symbol is worth at a place of the prompt."""

    logprob: float
    decoded_token: str


class Choice(ResponseModel):
    """`prompt_logprobs`: for each character of the prompt, by id, its own and the likeliest ones'."""

    text: str
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    ended: bool = Field(default=False, exclude=True)  # by the end symbol, not by a stop string
    token_ids: list[int] | None = omitted_if_none()
    prompt_token_ids: list[int] | None = omitted_if_none()
    prompt_logprobs: list[dict[int, PromptLogprob] | None] | None = omitted_if_none()

    @property
    def tells(self) -> bool:
        """Whether a stream needs it: a part of a character has no text yet, but what is told of it."""
        told = self.logprobs is not None and self.logprobs.tokens
        return bool(self.text or self.finish_reason or told or self.token_ids or self.prompt_token_ids)


class Completion(ResponseModel):
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
    usage: Usage | None = omitted_if_none()
    state: OpaqueBytes | None = omitted_if_none()
    session_id: str | None = omitted_if_none()
    position: int | None = omitted_if_none()
    revision: int | None = omitted_if_none()
