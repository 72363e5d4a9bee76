"""Defines the requests and answers of sessions."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from nextchar.errors import InvalidRequest
from nextchar.schemas.adaptive import Adaptive, AdaptiveInfo
from nextchar.schemas.base import ModelRequest, RequestFields, RequestOptions, ResponseModel, omitted_if_none
from nextchar.schemas.completion import Completion
from nextchar.schemas.integer import Integer
from nextchar.schemas.limits import MAX_INTEGER
from nextchar.schemas.opaque_bytes import OpaqueBytes
from nextchar.schemas.rows import Listed
from nextchar.schemas.sampling import MAX_SEED, MIN_SEED, SamplingFields, random_if_negative_one
from nextchar.schemas.score import NextChar, NextResponse, ScoreFields

SESSION_HEADER = "X-Session-Id"  # by which a proxy can send the requests of a session to one server
MAX_EACH_CHARS = 256
MAX_TTL_SECONDS = 30 * 24 * 3600.0

# A name is one part of a path. HTTP clients resolve "." and "..", so that no request would ever reach them.
_NAME = r"(\.{3}|\.{0,2}[A-Za-z0-9_-])[A-Za-z0-9._-]*"
SESSION_ID = rf"^{_NAME}$"
MAX_SESSION_ID_CHARS = 128
SessionId = Annotated[str, Field(pattern=SESSION_ID, max_length=MAX_SESSION_ID_CHARS)]
CheckpointName = Annotated[str, Field(pattern=rf"^{_NAME}$", max_length=64)]


def is_session_id(session_id: str) -> bool:
    """Returns whether a session may have this id."""
    return len(session_id) <= MAX_SESSION_ID_CHARS and re.fullmatch(SESSION_ID, session_id) is not None


class ChangeFields(RequestFields):
    """The revision that a change applies to, so that a client may repeat a change whose answer was lost."""

    if_revision: Integer | None = Field(
        default=None,
        ge=1,
        le=MAX_INTEGER,
        description="Change the session only if it is at this revision; otherwise fail with session_moved.",
    )


class CreateSessionRequest(ModelRequest):
    """A session to create: a text that is read and continued step by step."""

    session_id: SessionId | None = Field(None, description="The id of the session; by default a random one.")
    ttl_seconds: float | None = Field(
        None, gt=0, le=MAX_TTL_SECONDS, description="Seconds that the session lives without use."
    )
    prime: str = Field("", description="Text that the session reads first.", examples=["ROMEO:"])
    seed: Integer | None = Field(
        None,
        ge=MIN_SEED,
        le=MAX_SEED,
        description="Seed of what the session samples; by default, and for -1, a random one.",
    )
    adaptive: Adaptive = None

    @field_validator("seed")
    @classmethod
    def _random_seed(cls, value: int | None) -> int | None:
        return random_if_negative_one(value)

    def named(self, given: str | None) -> Self:
        """Returns the request for a session of the id that came beside it, if it has none itself.

        Raises:
            InvalidRequest: what was given is no id, or not that of the request.
        """
        if not given or given == self.session_id:
            return self
        if self.session_id is not None:
            raise InvalidRequest(
                f"session_id is {self.session_id!r}, and {SESSION_HEADER} names another session; send one of "
                "them, or the same twice",
                param="session_id",
            )
        if not is_session_id(given):
            raise InvalidRequest(
                f"{SESSION_HEADER} must be up to {MAX_SESSION_ID_CHARS} letters, digits, '.', '_' or '-', "
                f"other than '.' and '..' (it is {given[:MAX_SESSION_ID_CHARS]!r})",
                param=SESSION_HEADER,
            )
        return self.model_copy(update={"session_id": given})


class ListSessionsRequest(RequestFields):
    """A page of the principal's sessions, in the order of their ids."""

    after: str = Field("", description="The page begins after this id.")
    limit: Integer = Field(100, ge=1, le=1000, description="The largest number of sessions on the page.")


class FeedRequest(RequestOptions, ChangeFields):
    """Text to read, and which distributions to return."""

    text: str = Field(description="The characters to read, after all that was fed and sampled before.")
    return_: Literal["last", "each", "none"] = Field(
        "last",
        alias="return",
        description="Return the distribution after the last character, after each (of 256 at most), or none.",
    )
    top: Integer | None = Field(
        None,
        ge=1,
        le=MAX_INTEGER,
        description="How many of the likeliest characters to return; by default all.",
    )


class SessionNextRequest(RequestOptions):
    """Returns the distribution of the next character; the session does not move."""

    top: Integer | None = Field(
        None,
        ge=1,
        le=MAX_INTEGER,
        description="How many of the likeliest characters to return; by default all.",
    )


class SampleRequest(SamplingFields, ChangeFields):
    """How to sample a continuation of the session's text; the session moves to its end.

    A field that is null takes its default.
    """


class SessionScoreRequest(ScoreFields):
    """Strings to score as continuations of the session's text; the session does not move."""


class ForkRequest(RequestFields):
    """A second session to create at the same position."""

    session_id: SessionId | None = Field(
        None, description="The id of the new session; by default a random one."
    )


class CheckpointRequest(ChangeFields):
    """The name of a position that the session can return to."""

    name: CheckpointName


class RewindRequest(RequestOptions, ChangeFields):
    """How many characters to take back."""

    num_chars: Integer = Field(
        ge=0,
        le=MAX_INTEGER,
        description="The number of characters; `max_rewind` of the session is the largest.",
    )


class ImportStateRequest(ChangeFields):
    """The exported bytes that replace a session's state."""

    state: OpaqueBytes


class RenewRequest(RequestFields):
    """Extends the life of a session: it expires one time to live after now, and after each use."""

    ttl_seconds: float | None = Field(
        default=None,
        gt=0,
        le=MAX_TTL_SECONDS,
        description="A new time to live, in seconds; by default it stays the same.",
    )


class SessionInfo(ResponseModel):
    """A session: `revision` counts its changes, `max_rewind` is how many characters can be taken back now.

    That is at least 128 of the characters read and sampled last, or all of them, and at most 256. A rewind
    leaves fewer, by as many as it takes back, and a rollback none; what is read after it counts again.
    `adaptive` says how it learns its text, if it does.
    """

    session_id: str
    model: str
    model_version: str
    position: int
    revision: int
    created: float
    ttl_seconds: float
    expires_at: float
    state_bytes: int | None = omitted_if_none()
    max_rewind: int | None = omitted_if_none()
    checkpoints: list[str] | None = omitted_if_none()
    adaptive: AdaptiveInfo | None = omitted_if_none()


class SessionList(ResponseModel):
    """A page of the principal's sessions; `next_after` is the `after` of the next page, if there is one."""

    object: str = "list"
    data: list[SessionInfo]
    next_after: str | None = omitted_if_none()


class Distribution(ResponseModel):
    """The distribution of one character, as in `/v1/next`."""

    data: Listed[NextChar]
    entropy_bits: float


class FeedResponse(ResponseModel):
    """The log-probability of the text that was fed, and the distributions that were asked for.

    `model_logprob` is that of the network alone, in an adaptive session.

    `data` is the distribution after the last character, or a list of one after each. `case_folding` is lower
    if the model reads all text in lower case.
    """

    session_id: str
    model: str
    model_version: str
    position: int
    revision: int
    logprob: float
    num_unknown: int
    model_logprob: float | None = omitted_if_none()
    case_folding: str | None = omitted_if_none()
    data: Listed[NextChar] | list[Distribution] | None = omitted_if_none()
    entropy_bits: float | None = omitted_if_none()


class SessionNextResponse(NextResponse):
    """The distribution of the next character, and where the session is."""

    session_id: str
    position: int
    revision: int


class SessionCompletion(Completion):
    """A completion; its last event has the position and the revision of the session."""

    session_id: str


class SessionState(ResponseModel):
    """The state of a session, as it is exported."""

    state: OpaqueBytes


class SessionDeleted(ResponseModel):
    """The answer to the end of a session, which has no fields."""
