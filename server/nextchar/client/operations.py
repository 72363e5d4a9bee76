"""Describes each call once, for REST and gRPC, and for both clients."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from nextchar.client.arguments import (
    CallArguments,
    CompareArguments,
    CompletionArguments,
    CreateSessionArguments,
    InspectArguments,
    JudgeArguments,
    NextArguments,
    PromptInput,
    ScoreArguments,
    TokenizeArguments,
)
from nextchar.errors import NextcharError, SessionExists, SessionMoved
from nextchar.schemas.compare import CompareResponse
from nextchar.schemas.completion import Completion
from nextchar.schemas.inspect import InspectResponse
from nextchar.schemas.judging import JudgeInfo, JudgeList, JudgeResponse
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.models import ModelInfo, ModelList
from nextchar.schemas.score import NextResponse, ScoreResponse
from nextchar.schemas.sessions import SessionInfo, SessionList
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse, TokenizerInfo

A = TypeVar("A", bound=BaseModel)
C = TypeVar("C", bound=Completion)
_ID_BYTES = 16  # 128 random bits, as the server's own ids have
_ANSWER_SECONDS = 1.0  # on top of a call's timeout: the server's own answer is to arrive


@dataclass(frozen=True, slots=True)
class Operation(Generic[A]):
    """One call: how it is sent and what it is answered with.

    `fields` are those of the JSON body, or of the query where the body is none. `changes` is set for calls
    that a second time do more than the first time did, and `refused_as` is the error by which the server
    refuses such a call if it is done already: without one, it is not retried when its answer was lost. `rpc`
    is the method of nextchar.v1 as Service/Method; None if gRPC has no such call.
    """

    http_method: str
    path: str
    rpc: str | None
    fields: Mapping[str, Any]
    answer_type: type[A]
    changes: bool = False
    refused_as: type[NextcharError] | None = None
    session_id: str | None = None  # in the path of REST, in the message of gRPC
    in_path: frozenset[str] = frozenset()  # fields that are in the path of REST, and not in its query
    content: bytes | None = None  # the body where it is not JSON; `state` in gRPC
    routed_by: str | None = None  # the session whose server has this one: that which it was forked from

    @property
    def repeatable(self) -> bool:
        """Whether the call may be sent again when it may have been done."""
        return not self.changes or self.refused_as is not None

    def at(self, revision: int) -> Self:
        """Returns the call that is done only if its session is at a revision."""
        return replace(self, fields={**self.fields, "if_revision": revision}, refused_as=SessionMoved)

    @property
    def headers(self) -> dict[str, str]:
        """The header by which a proxy finds the server that has the session, or is to have it."""
        name = self.routed_by or self.fields.get("session_id")
        # Quoted: the server, not the HTTP library, refuses an invalid id.
        return {"x-session-id": quote(name)} if isinstance(name, str) else {}

    def wait_seconds(self, default: float) -> float:
        """How long to wait for the answer: by the call's own timeout, if it has one that makes sense."""
        timeout = self.fields.get("timeout")
        if isinstance(timeout, int | float) and 0 < timeout < inf:
            return timeout + _ANSWER_SECONDS
        return default


def score(strings: list[str], model: str | None, arguments: ScoreArguments) -> Operation[ScoreResponse]:
    fields = given({"model": model, "input": strings, **arguments})
    return Operation("POST", "/v1/score", "Nextchar/Score", fields, ScoreResponse)


def continued(operation: Operation[A], before: A | None) -> Operation[A]:
    """Returns a call that goes on where the one before it has ended, if it learns its text."""
    if not operation.fields.get("adaptive"):
        return operation
    fields = {**operation.fields, "return_state": True}
    if isinstance(before, ScoreResponse):
        fields |= {"state": before.state, "context": ""}
    elif isinstance(before, JudgeResponse):
        fields["state"] = before.state
    return replace(operation, fields=fields)


def judge(strings: list[str], judge: str, arguments: JudgeArguments) -> Operation[JudgeResponse]:
    fields = given({"judge": judge, "input": strings, **arguments})
    return Operation("POST", "/v1/judge", "Nextchar/Judge", fields, JudgeResponse)


def list_judges() -> Operation[JudgeList]:
    return Operation("GET", "/v1/judges", None, {}, JudgeList)


def get_judge(judge: str) -> Operation[JudgeInfo]:
    return Operation("GET", f"/v1/judges/{quote(judge, safe=':')}", None, {}, JudgeInfo)


def compare(strings: list[str], model: str | None, arguments: CompareArguments) -> Operation[CompareResponse]:
    fields = given({"model": model, "input": strings, **arguments})
    return Operation("POST", "/v1/compare", "Nextchar/Compare", fields, CompareResponse)


def next_(text: str, model: str | None, arguments: NextArguments) -> Operation[NextResponse]:
    fields = given({"model": model, "input": text, **arguments})
    return Operation("POST", "/v1/next", "Nextchar/Next", fields, NextResponse)


def complete(
    prompt: PromptInput, model: str | None, arguments: CompletionArguments, *, stream: bool
) -> Operation[Completion]:
    fields = given({"model": model, "prompt": prompt, **arguments})
    changes = "session_id" in fields  # a completion of a session moves it
    if stream:
        fields = streamed(fields)
    refused_as = SessionMoved if "if_revision" in fields else None
    return Operation("POST", "/v1/completions", "Nextchar/Complete", fields, Completion, changes, refused_as)


def inspect(text: str, model: str | None, arguments: InspectArguments) -> Operation[InspectResponse]:
    fields = given({"model": model, "input": text, **arguments})
    return Operation("POST", "/v1/inspect", "Nextchar/Inspect", fields, InspectResponse)


def tokenize(text: str, model: str | None, arguments: TokenizeArguments) -> Operation[TokenizeResponse]:
    fields = given({"model": model, "prompt": text, **arguments})
    return Operation("POST", "/tokenize", "Nextchar/Tokenize", fields, TokenizeResponse)


def detokenize(ids: list[int], model: str | None, arguments: CallArguments) -> Operation[DetokenizeResponse]:
    fields = given({"model": model, "tokens": ids, **arguments})
    return Operation("POST", "/detokenize", "Nextchar/Detokenize", fields, DetokenizeResponse)


def tokenizer_info(model: str | None) -> Operation[TokenizerInfo]:
    fields = given({"model": model})
    return Operation("GET", "/tokenizer_info", "Nextchar/TokenizerInfo", fields, TokenizerInfo)


def limits() -> Operation[LimitsResponse]:
    return Operation("GET", "/v1/limits", "Nextchar/Limits", {}, LimitsResponse)


def list_models() -> Operation[ModelList]:
    return Operation("GET", "/v1/models", None, {}, ModelList)


def get_model(model: str) -> Operation[ModelInfo]:
    return Operation("GET", f"/v1/models/{quote(model, safe=':')}", None, {}, ModelInfo)


def create_session(model: str | None, arguments: CreateSessionArguments) -> Operation[SessionInfo]:
    fields = {"session_id": new_session_id(), **given({"model": model, **arguments})}
    return Operation(
        "POST", "/v1/sessions", "Sessions/Create", fields, SessionInfo, changes=True, refused_as=SessionExists
    )


def new_session_id() -> str:
    """Returns an id that no other session has, so that a session which has it is this client's own."""
    return f"sess-{secrets.token_urlsafe(_ID_BYTES)}"


def list_sessions(after: str, limit: int) -> Operation[SessionList]:
    fields = {"after": after, "limit": limit}
    return Operation("GET", "/v1/sessions", "Sessions/List", fields, SessionList)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are not None; for the others the server has defaults."""
    return {name: value for name, value in fields.items() if value is not None}


def streamed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a call whose answer comes as a stream, with its usage at the end."""
    options = {"include_usage": True, **fields.get("stream_options", {})}
    return {**fields, "stream": True, "stream_options": options}
