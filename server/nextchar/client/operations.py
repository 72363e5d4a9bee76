"""What a client asks for: one description of each call, for REST and gRPC, blocking and not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar

from pydantic import BaseModel

from nextchar.schemas.compare import CompareResponse, RankBy
from nextchar.schemas.completion import Completion
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.score import NextResponse, ScoreResponse
from nextchar.schemas.sessions import (
    FeedResponse,
    SessionCompletion,
    SessionInfo,
    SessionList,
    SessionNextResponse,
)
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse

Prompt = str | list[str] | list[int] | list[list[int]]  # a text, several, its ids, ids of several
A = TypeVar("A", bound=BaseModel)
C = TypeVar("C", bound=Completion)
MAX_MESSAGE_STRINGS, MAX_MESSAGE_CHARS = 256, 65_536  # of one message of a stream of scores


class SamplingArguments(TypedDict, total=False):
    """How to draw: the fields of a completion request beside model and prompt."""

    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    seed: int
    stop: list[str]
    logit_bias: dict[str, float]
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    logprobs: int
    stream_options: dict[str, Any]
    echo: bool
    n: int
    best_of: int
    min_tokens: int
    stop_token_ids: list[int]
    allowed_chars: str
    regex: str
    prompt_logprobs: int
    post_sampling_logprobs: bool
    return_token_ids: bool
    session_id: str
    state: bytes
    return_state: bool


class ScoreArguments(TypedDict, total=False):
    """How to score: the fields of a score request beside model and input."""

    context: str
    include_end: bool
    return_chars: bool
    state: bytes
    return_state: bool


class CompareArguments(TypedDict, total=False):
    """How to compare: the fields of a comparison beside model and input."""

    context: str
    include_end: bool
    reference_model: str
    rank_by: RankBy


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """One call. `repeatable`: asking twice is as good as asking once, so a lost answer is asked for again."""

    verb: str
    path: str
    rpc: str  # Service/Method of nextchar.v1
    fields: Mapping[str, Any]
    answer: type[A]
    repeatable: bool = True
    session_id: str | None = None
    content: bytes | None = None  # of a call whose body is bytes; `state` in gRPC
    headers: Mapping[str, str] = field(default_factory=dict)


def score(strings: list[str], model: str, arguments: ScoreArguments) -> Operation[ScoreResponse]:
    fields = {"model": model, "input": strings, **arguments}
    return Operation("POST", "/v1/score", "Nextchar/Score", fields, ScoreResponse)


def compare(strings: list[str], model: str, arguments: CompareArguments) -> Operation[CompareResponse]:
    fields = {"model": model, "input": strings, **arguments}
    return Operation("POST", "/v1/compare", "Nextchar/Compare", fields, CompareResponse)


def tokenize(text: str, model: str | None) -> Operation[TokenizeResponse]:
    fields = _given({"model": model, "prompt": text})
    return Operation("POST", "/tokenize", "Nextchar/Tokenize", fields, TokenizeResponse)


def detokenize(ids: list[int], model: str | None) -> Operation[DetokenizeResponse]:
    fields = _given({"model": model, "tokens": ids})
    return Operation("POST", "/detokenize", "Nextchar/Detokenize", fields, DetokenizeResponse)


def limits() -> Operation[LimitsResponse]:
    return Operation("GET", "/v1/limits", "Nextchar/Limits", {}, LimitsResponse)


def next_(text: str, model: str, top: int | None, state: bytes | None) -> Operation[NextResponse]:
    fields = _given({"model": model, "input": text, "top": top, "state": state})
    return Operation("POST", "/v1/next", "Nextchar/Next", fields, NextResponse)


def complete(
    prompt: Prompt, model: str, arguments: Mapping[str, Any], *, stream: bool
) -> Operation[Completion]:
    fields = _given({"model": model, "prompt": prompt, **arguments})
    repeatable = "session_id" not in fields  # else it moves a session
    if stream:
        fields = _streaming(fields)
    return Operation("POST", "/v1/completions", "Nextchar/Complete", fields, Completion, repeatable)


def create_session(fields: Mapping[str, Any]) -> Operation[SessionInfo]:
    return Operation("POST", "/v1/sessions", "Sessions/Create", _given(fields), SessionInfo, repeatable=False)


def list_sessions(after: str, limit: int) -> Operation[SessionList]:
    fields = {"after": after, "limit": limit}
    return Operation("GET", "/v1/sessions", "Sessions/List", fields, SessionList)


class SessionOperations:
    """The calls of one session."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id

    def get(self) -> Operation[SessionInfo]:
        return self._ask("Get", "", {}, SessionInfo, verb="GET", repeatable=True)

    def delete(self) -> Operation["Deleted"]:
        return self._ask("Delete", "", {}, Deleted, verb="DELETE")

    def feed(self, text: str, returns: str, top: int | None) -> Operation[FeedResponse]:
        return self._ask("Feed", "/feed", {"text": text, "return": returns, "top": top}, FeedResponse)

    def next_(self, top: int | None) -> Operation[SessionNextResponse]:
        return self._ask("Next", "/next", {"top": top}, SessionNextResponse, repeatable=True)

    def sample(self, arguments: SamplingArguments, *, stream: bool) -> Operation[SessionCompletion]:
        fields = _streaming(arguments) if stream else dict(arguments)
        return self._ask("Sample", "/sample", fields, SessionCompletion)

    def score(self, strings: list[str], arguments: ScoreArguments) -> Operation[ScoreResponse]:
        fields = {"input": strings, **arguments}
        return self._ask("Score", "/score", fields, ScoreResponse, repeatable=True)

    def fork(self, session_id: str | None) -> Operation[SessionInfo]:
        # The session is named by the path in REST; in gRPC the fork's name has a field of its own.
        return self._ask("Fork", "/fork", {"session_id": session_id}, SessionInfo)

    def checkpoint(self, name: str) -> Operation[SessionInfo]:
        return self._ask("Checkpoint", "/checkpoint", {"name": name}, SessionInfo)

    def rollback(self, name: str) -> Operation[SessionInfo]:
        return self._ask("Rollback", "/rollback", {"name": name}, SessionInfo)

    def rewind(self, num_chars: int) -> Operation[SessionInfo]:
        return self._ask("Rewind", "/rewind", {"num_chars": num_chars}, SessionInfo)

    def export(self) -> Operation["StateBytes"]:
        return self._ask("ExportState", "/state", {}, StateBytes, verb="GET", repeatable=True)

    def restore(self, state: bytes) -> Operation[SessionInfo]:
        return self._ask("ImportState", "/state", {}, SessionInfo, verb="PUT", content=state)

    def _ask(
        self,
        rpc: str,
        path: str,
        fields: Mapping[str, Any],
        answer: type[A],
        *,
        verb: str = "POST",
        repeatable: bool = False,
        content: bytes | None = None,
    ) -> Operation[A]:
        return Operation(
            verb,
            f"/v1/sessions/{self.session_id}{path}",
            f"Sessions/{rpc}",
            _given(fields),
            answer,
            repeatable,
            self.session_id,
            content,
            {"X-Session-Id": self.session_id},
        )


class Deleted(BaseModel):
    """Nothing more to say."""


class StateBytes(BaseModel):
    """A session's exported state."""

    state: bytes


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not given: the server has the defaults."""
    return {name: value for name, value in fields.items() if value is not None}


def _streaming(fields: Mapping[str, Any]) -> dict[str, Any]:
    options = {"include_usage": True, **fields.get("stream_options", {})}
    return {**fields, "stream": True, "stream_options": options}
