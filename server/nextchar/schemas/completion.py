"""Defines the request and the answer of `/v1/completions`: OpenAI's fields, and extensions."""

from typing import Annotated, Any, Self

from pydantic import Field, WrapValidator, field_validator, model_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.adaptive import Adaptive
from nextchar.schemas.base import ModelRequest, ResponseModel, StateFields, Usage, omitted_if_none
from nextchar.schemas.integer import Integer, whole_items
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.opaque_bytes import OpaqueBytes
from nextchar.schemas.rows import Listed
from nextchar.schemas.sampling import MAX_TOP_LOGPROBS, SamplingFields

MAX_CHOICES = 128

TokenIds = list[Annotated[int, Field(ge=0, le=MAX_INTEGER)]]


def _is_prompt(value: Any, _validate: object) -> Any:
    """Validates a prompt by looks at whole lists: pydantic would try each form on each of a million items.

    Raises:
        InvalidRequest: it has none of the forms.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        found = value if _all_str(value) else _ids(value) or _lists(value)
        if found is not None:
            return found
    raise InvalidRequest(
        "prompt must be a string, a list of strings, a list of ids or a list of lists of ids; a list must "
        f"have at least one item, and an id is from 0 to {MAX_INTEGER}",
        param="prompt",
    )


Prompts = Annotated[str | list[str] | TokenIds | list[TokenIds], WrapValidator(_is_prompt)]


class CompletionRequest(SamplingFields, StateFields, ModelRequest):
    """Prompts to continue, and how. A field that is null takes its default."""

    prompt: Prompts = Field(
        "",
        description="The text to continue, or its ids, or a list of either.",
        examples=["ROMEO:"],
    )
    n: Integer = Field(1, ge=1, le=MAX_CHOICES, description="The number of completions of each prompt.")
    best_of: Integer | None = Field(
        default=None,
        ge=1,
        le=MAX_CHOICES,
        description="Sample this many completions of each prompt and return the n best, by log-probability "
        "per character.",
    )
    echo: bool = Field(False, description="Return the prompt before the completion.")
    prompt_logprobs: Integer | None = Field(
        None,
        ge=0,
        le=MAX_TOP_LOGPROBS,
        description="Return the log-probability of each character of the prompt, and of this many of the "
        "likeliest ones.",
    )
    suffix: str | None = Field(None, description="Must be empty: the model reads from left to right.")
    user: str | None = Field(None, description="Accepted and ignored.")
    request_id: Annotated[str, Field(pattern=r"^[!-~]{1,128}$")] | None = Field(
        None, description="The id of the request, in place of the header X-Request-Id."
    )
    session_id: str | None = Field(
        default=None,
        description="A session to continue: it reads the prompt and moves to the end of the completion.",
    )

    adaptive: Adaptive = None

    if_revision: Integer | None = Field(
        default=None,
        ge=1,
        le=MAX_INTEGER,
        description="Continue the session only if it is at this revision; otherwise fail with session_moved.",
    )

    @property
    def own_id(self) -> str | None:
        """The request id that the body has in place of that of the header, if any."""
        return self.request_id

    @property
    def num_samples(self) -> int:
        """The number of completions of each prompt that are sampled."""
        return self.best_of or self.n

    @property
    def is_whole(self) -> bool:
        """Whether the answer is known only when all of it is sampled."""
        return self.num_samples > self.n or self.prompt_logprobs is not None

    @field_validator("suffix")
    @classmethod
    def _nothing_after(cls, value: str | None) -> str | None:
        if value:
            raise InvalidRequest(
                "suffix must be empty, as the model reads from left to right; leave it out",
                param="suffix",
            )
        return value

    @model_validator(mode="after")
    def _continues_one_thing(self) -> Self:
        if self.session_id is not None and (self.state is not None or self.return_state):
            raise ValueError("session_id cannot be combined with state or return_state; leave one out")
        if self.session_id is None and self.if_revision is not None:
            raise ValueError("if_revision needs session_id; set it, or leave if_revision out")
        if self.session_id is not None and self.adaptive is not None:
            raise InvalidRequest(
                "adaptive cannot be combined with session_id: a session is adaptive if it was created so",
                param="adaptive",
            )
        continues = self.session_id is not None or self.state is not None or self.return_state
        if continues and self.num_samples > 1:
            given = f"n is {self.n}" + ("" if self.best_of is None else f", best_of is {self.best_of}")
            raise InvalidRequest(
                f"n and best_of must be 1 when session_id, state or return_state is set ({given})", param="n"
            )
        if continues and isinstance(self.prompt, list) and not _all_ids(self.prompt):
            raise InvalidRequest(
                "prompt must be one text or one list of ids when session_id, state or return_state is set",
                param="prompt",
            )
        return self

    @model_validator(mode="after")
    def _choices_agree(self) -> Self:
        if self.num_samples < self.n:
            raise InvalidRequest(
                f"best_of must be at least n (best_of is {self.best_of}, n is {self.n})", param="best_of"
            )
        if self.stream and self.is_whole:
            name = "best_of" if self.num_samples > self.n else "prompt_logprobs"
            raise InvalidRequest(f"{name} cannot be combined with stream; leave one out", param=name)
        return self


def _all_str(items: list[Any]) -> bool:
    return set(map(type, items)) == {str}


def _all_ids(items: list[Any]) -> bool:
    return not items or (set(map(type, items)) == {int} and min(items) >= 0 and max(items) <= MAX_INTEGER)


def _ids(items: list[Any]) -> list[int] | None:
    """Returns a list of ids, numbers without a fraction as integers; None if it is something else."""
    found: list[int] = whole_items(items)
    return found if _all_ids(found) else None


def _lists(items: list[Any]) -> list[list[int]] | None:
    """Returns a list of lists of ids; None if it is something else."""
    lists = [_ids(item) if isinstance(item, list) else None for item in items]
    found = [ids for ids in lists if ids is not None]
    return found if len(found) == len(items) else None


class Logprobs(ResponseModel):
    """The log-probability of each character, in OpenAI's form: a token is a character.

    If the end symbol was sampled, it is the last token, with no text. A log-probability is null only for the
    begin symbol of a prompt that was given as ids. `top_logprobs` lists the token itself too, and alone where
    `logprobs` is 0; a character that the model does not know is listed by the label of the unknown symbol.
    `text_offset` counts from the beginning of the prompt, whether `echo` returns it or not.
    `model_logprobs` are those of the network alone, where the text is learned.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: Listed[dict[str, float]]
    text_offset: list[int]
    model_logprobs: list[float | None] | None = omitted_if_none()


class PromptLogprob(ResponseModel):
    """The log-probability of one symbol at one position of the prompt."""

    logprob: float
    decoded_token: str


class Choice(ResponseModel):
    """One completion.

    `prompt_logprobs` holds, for each character of the prompt, by id, its own log-probability and those of the
    likeliest characters.
    """

    text: str
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    ended: bool = Field(default=False, exclude=True)  # by the end symbol, not by a stop string
    usage: Usage | None = Field(default=None, exclude=True)  # of this choice, up to here
    token_ids: list[int] | None = omitted_if_none()
    prompt_token_ids: list[int] | None = omitted_if_none()
    prompt_logprobs: Listed[dict[int, PromptLogprob] | None] | None = omitted_if_none()

    @property
    def tells(self) -> bool:
        """Whether a stream must send it: a part of a character has no text yet, but may have logprobs."""
        told = self.logprobs is not None and self.logprobs.tokens
        return bool(self.text or self.finish_reason or told or self.token_ids or self.prompt_token_ids)


class Completion(ResponseModel):
    """A whole completion, or one event of a streamed one.

    The last event has the `state` that return_state asks for, or the session's position and revision.
    `case_folding` is lower if the model reads all text in lower case.
    """

    id: str
    object: str = "text_completion"
    created: int
    model: str
    model_version: str
    system_fingerprint: str
    choices: list[Choice]
    case_folding: str | None = omitted_if_none()
    usage: Usage | None = omitted_if_none()
    state: OpaqueBytes | None = omitted_if_none()
    session_id: str | None = omitted_if_none()
    position: int | None = omitted_if_none()
    revision: int | None = omitted_if_none()
