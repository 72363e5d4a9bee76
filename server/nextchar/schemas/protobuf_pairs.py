"""Declares which schema and which protobuf message are the same thing, and where their fields differ.

Everything else follows: a message has the fields of its schema under the same names.
"""

from collections.abc import Callable
from math import isnan, nan
from typing import Any

from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb
from nextchar.schemas import (
    adaptive,
    base,
    compare,
    completion,
    inspect,
    judging,
    limits_report,
    sampling,
    score,
    sessions,
    tokens,
)

PAIRS: dict[type[BaseModel], type[Message]] = {
    base.Usage: pb.Usage,
    adaptive.AdaptiveOptions: pb.AdaptiveOptions,
    adaptive.AdaptiveInfo: pb.AdaptiveInfo,
    score.ScoreRequest: pb.ScoreRequest,
    score.CharScore: pb.CharScore,
    score.Score: pb.Score,
    score.ScoreResponse: pb.ScoreResponse,
    score.NextRequest: pb.NextRequest,
    score.NextChar: pb.NextChar,
    score.NextResponse: pb.NextResponse,
    compare.CompareRequest: pb.CompareRequest,
    compare.Candidate: pb.Candidate,
    compare.CompareResponse: pb.CompareResponse,
    judging.JudgeRequest: pb.JudgeRequest,
    judging.SurprisingChar: pb.SurprisingChar,
    judging.Reasons: pb.Reasons,
    judging.Verdict: pb.Verdict,
    judging.JudgeResponse: pb.JudgeResponse,
    sampling.StreamOptions: pb.StreamOptions,
    completion.CompletionRequest: pb.CompletionRequest,
    completion.Logprobs: pb.Logprobs,
    completion.PromptLogprob: pb.PromptLogprob,
    completion.Choice: pb.Choice,
    completion.Completion: pb.Completion,
    inspect.InspectRequest: pb.InspectRequest,
    inspect.StateTrace: pb.StateTrace,
    inspect.GateTrace: pb.GateTrace,
    inspect.InspectResponse: pb.InspectResponse,
    tokens.TokenizeRequest: pb.TokenizeRequest,
    tokens.TokenizeResponse: pb.TokenizeResponse,
    tokens.DetokenizeRequest: pb.DetokenizeRequest,
    tokens.DetokenizeResponse: pb.DetokenizeResponse,
    tokens.TokenizerInfo: pb.TokenizerInfoResponse,
    limits_report.RequestLimits: pb.RequestLimits,
    limits_report.OwnerLimits: pb.OwnerLimits,
    limits_report.ModelLimits: pb.ModelLimits,
    limits_report.LimitsResponse: pb.LimitsResponse,
    sessions.CreateSessionRequest: pb.CreateSessionRequest,
    sessions.ListSessionsRequest: pb.ListSessionsRequest,
    sessions.FeedRequest: pb.FeedRequest,
    sessions.SessionNextRequest: pb.SessionNextRequest,
    sessions.SampleRequest: pb.SampleRequest,
    sessions.SessionScoreRequest: pb.SessionScoreRequest,
    sessions.ForkRequest: pb.ForkRequest,
    sessions.CheckpointRequest: pb.CheckpointRequest,
    sessions.RewindRequest: pb.RewindRequest,
    sessions.RenewRequest: pb.RenewRequest,
    sessions.ImportStateRequest: pb.ImportStateRequest,
    sessions.SessionState: pb.SessionState,
    sessions.SessionInfo: pb.SessionInfo,
    sessions.SessionList: pb.SessionList,
    sessions.SessionDeleted: pb.Deleted,
    sessions.Distribution: pb.Distribution,
    sessions.FeedResponse: pb.FeedResponse,
    sessions.SessionNextResponse: pb.SessionNextResponse,
    sessions.SessionCompletion: pb.SessionCompletion,
}
SCHEMAS = {message: schema for schema, message in PAIRS.items()}

# Messages about one session name it in `session_id`; in REST it is part of the path.
NAME_THEIR_SESSION = frozenset(
    {
        pb.SessionId,
        pb.SessionState,
        pb.FeedRequest,
        pb.SessionNextRequest,
        pb.SampleRequest,
        pb.SessionScoreRequest,
        pb.ForkRequest,
        pb.CheckpointRequest,
        pb.RewindRequest,
        pb.RenewRequest,
        pb.ImportStateRequest,
    }
)
# There are two in the request of a fork: the session that is forked, and the one that is created.
RENAMED = {pb.ForkRequest: {"session_id": "fork_id"}}

# Fields of a schema that its message does not have, and does not need: calls that sample always stream and
# report their usage, at the end alone; a session's state is exported by a call of its own; `ended` and the
# usage of a choice are sent by neither protocol.
LEFT_OUT: dict[type[Message], frozenset[str]] = {
    pb.CompletionRequest: frozenset({"stream"}),
    pb.SampleRequest: frozenset({"stream"}),
    pb.StreamOptions: frozenset({"include_usage", "continuous_usage_stats"}),
    pb.Choice: frozenset({"ended", "usage"}),
    pb.SessionNextResponse: frozenset({"state"}),
    pb.SessionCompletion: frozenset({"state"}),
}
# Fields of a request that its message does not have, so that a client may not set them.
REFUSED: dict[type[Message], frozenset[str]] = {
    pb.InspectRequest: frozenset({"encoding_format"}),
    pb.StreamOptions: frozenset({"include_obfuscation"}),
}

# protobuf has no list of lists and no list of maps: each inner one is in a message, in its only field.
WRAPPERS = frozenset({pb.TokenIds, pb.StateRow, pb.TopLogprobs, pb.PromptLogprobs})
NONE_IF_EMPTY = frozenset({pb.PromptLogprobs})


def _prompt_form(prompt: Any) -> tuple[str, Any]:
    if isinstance(prompt, str):
        return "prompt", prompt
    if not prompt:
        raise InvalidRequest("prompt is an empty list; give a text, ids or a list of either", param="prompt")
    if isinstance(prompt[0], str):
        return "prompts", prompt
    return "prompt_token_ids", [prompt] if isinstance(prompt[0], int) else prompt


def _distribution_form(data: list[Any]) -> tuple[str, Any]:
    return ("each" if data and isinstance(data[0], sessions.Distribution) else "data"), data


Form = Callable[[Any], tuple[str, Any]]
# A field that takes values of several types is several fields in its message. A function says which of them a
# value goes to, and how.
FORMS: dict[type[Message], tuple[str, tuple[str, ...], Form]] = {
    pb.CompletionRequest: ("prompt", ("prompt", "prompts", "prompt_token_ids"), _prompt_form),
    pb.FeedResponse: ("data", ("data", "each"), _distribution_form),
}


def _none_to_nan(values: list[float | None]) -> list[float]:
    return [nan if value is None else value for value in values]


def _nan_to_none(values: list[float]) -> list[float | None]:
    return [None if isnan(value) else value for value in values]


def _adaptive_to_message(value: Any) -> pb.AdaptiveOptions | None:
    """Returns the options; a switch that is on is a message without fields.

    Raises:
        InvalidRequest: the value is neither a switch nor options.
    """
    try:
        options = adaptive.of_switch(value)
    except ValueError as error:
        raise InvalidRequest(f"adaptive: {error}, is {value!r}", param="adaptive") from None
    return None if options is None else pb.AdaptiveOptions(**dict(options))


def _adaptive_from_message(message: pb.AdaptiveOptions) -> dict[str, Any]:
    return {field.name: list(value) if field.is_repeated else value for field, value in message.ListFields()}


Convert = Callable[[Any], Any]
_ADAPTIVE: dict[str, tuple[Convert, Convert]] = {"adaptive": (_adaptive_to_message, _adaptive_from_message)}
# Values that are written and read in a way of their own: a list of protobuf cannot hold null.
CONVERTED: dict[type[Message], dict[str, tuple[Convert, Convert]]] = {
    pb.Logprobs: {
        "token_logprobs": (_none_to_nan, _nan_to_none),
        "model_logprobs": (_none_to_nan, _nan_to_none),
    },
    pb.ScoreRequest: _ADAPTIVE,
    pb.NextRequest: _ADAPTIVE,
    pb.CompareRequest: _ADAPTIVE,
    pb.JudgeRequest: _ADAPTIVE,
    pb.CompletionRequest: _ADAPTIVE,
    pb.CreateSessionRequest: _ADAPTIVE,
}

# A message cannot tell an empty list from one that is left out. These are there, though empty, if the request
# asked for them.
ASKED_FOR: dict[type[Message], dict[str, tuple[str, object]]] = {
    pb.Score: {"chars": ("return_chars", True)},
    pb.Choice: {"token_ids": ("return_token_ids", True), "prompt_token_ids": ("return_token_ids", True)},
    pb.FeedResponse: {"data": ("return", "each")},
}
# And these, if another field is there.
COMES_WITH = {pb.SessionInfo: {"checkpoints": "state_bytes"}}
