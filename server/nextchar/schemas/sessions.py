"""What the calls of sessions hold and answer; as `schemas`, strict and one for all doors."""

from typing import Annotated, Literal

from pydantic import Field

from nextchar.schemas.base import RequestFields, RequestOptions, ResponseModel, omitted_if_none
from nextchar.schemas.completion import Completion
from nextchar.schemas.opaque_bytes import OpaqueBytes
from nextchar.schemas.sampling import SamplingFields
from nextchar.schemas.score import NextChar, NextResponse, ScoreFields

MAX_EACH_CHARS = 256
MAX_TTL_SECONDS = 30 * 24 * 3600.0

SESSION_ID = r"^[A-Za-z0-9._-]{1,128}$"
SessionId = Annotated[str, Field(pattern=SESSION_ID)]
CheckpointName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class _ChangeFields(RequestFields):
    """A change that may be sent twice: the answer to the first may have been lost."""

    if_revision: int | None = Field(
        default=None, ge=1, description="Only if the session is at this revision; session_moved if it is not."
    )


class CreateSessionRequest(RequestOptions):
    """A new session: a text that goes on as long as it is used."""

    model: str = Field(description="A model's name, or name:version.", examples=["shakespeare"])
    session_id: SessionId | None = Field(None, description="An id of your own; a random one by default.")
    ttl_seconds: float | None = Field(
        None, gt=0, le=MAX_TTL_SECONDS, description="How long it lives when it is not used."
    )
    prime: str = Field("", description="Text to begin with.", examples=["ROMEO:"])
    seed: int | None = Field(
        None, ge=-(2**63), le=2**63 - 1, description="Of what it samples; random by default."
    )


class ListSessionsRequest(RequestFields):
    """A page of the caller's sessions by id."""

    after: str = Field("", description="Begin after this id.")
    limit: int = Field(100, ge=1, le=1000, description="How many at most.")


class FeedRequest(RequestOptions, _ChangeFields):
    """Characters that came; what to tell of the next one."""

    text: str = Field(description="The characters, after all that was fed and sampled before.")
    return_: Literal["last", "each", "none"] = Field(
        "last",
        alias="return",
        description="The distribution after the last character, after each (256 at most), or none.",
    )
    top: int | None = Field(None, ge=1, description="How many of the likeliest to give; all by default.")


class SessionNextRequest(RequestOptions):
    """The distribution of the next character; the session stays where it is."""

    top: int | None = Field(None, ge=1, description="How many of the likeliest to give; all by default.")


class SampleRequest(SamplingFields, _ChangeFields):
    """Characters to draw after the session's text, and how. Fields that are null take their default."""


class SessionScoreRequest(ScoreFields):
    """Strings to score as continuations; the session stays where it is."""


class ForkRequest(RequestFields):
    """A second session that goes on from the same place."""

    session_id: SessionId | None = Field(None, description="Its id; a random one by default.")


class CheckpointRequest(_ChangeFields):
    """A place to come back to."""

    name: CheckpointName


class RewindRequest(_ChangeFields):
    """Characters to take back."""

    num_chars: int = Field(ge=0, description="How many; a session tells how many it can.")


class RenewRequest(RequestFields):
    """A session lives on from now, and from its every use, for as long as it did; or for so long."""

    ttl_seconds: float | None = Field(
        default=None, gt=0, le=MAX_TTL_SECONDS, description="How long it lives when it is not used."
    )


class SessionInfo(ResponseModel):
    """A session: `revision` counts its changes, `max_rewind` how many characters can be taken back."""

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


class SessionList(ResponseModel):
    """A page of the caller's sessions by id; `next_after` is there if there are more."""

    object: str = "list"
    data: list[SessionInfo]
    next_after: str | None = omitted_if_none()


class Distribution(ResponseModel):
    """As `/v1/next` gives it."""

    data: list[NextChar]
    entropy_bits: float


class FeedResponse(ResponseModel):
    """`data` is the distribution after the last character, or a list of them; `logprob` of the text fed."""

    session_id: str
    model: str
    model_version: str
    position: int
    revision: int
    logprob: float
    num_unknown: int
    data: list[NextChar] | list[Distribution] | None = omitted_if_none()
    entropy_bits: float | None = omitted_if_none()


class SessionNextResponse(NextResponse):
    session_id: str
    position: int
    revision: int


class SessionCompletion(Completion):
    """A completion; its last event tells where the session stands."""

    session_id: str


class SessionState(ResponseModel):
    """The state of a session, as it is exported."""

    state: OpaqueBytes


class SessionDeleted(ResponseModel):
    """The answer to the end of a session, which has no fields."""
