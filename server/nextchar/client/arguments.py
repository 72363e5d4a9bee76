"""Names the optional arguments of the client's calls: the fields of the JSON bodies, with their types."""

from typing import Any, Literal, TypedDict

from nextchar.schemas.compare import RankBy
from nextchar.schemas.inspect import GateName, StateName

PromptInput = (
    str | list[str] | list[int] | list[list[int]]
)  # a text, several texts, ids, several lists of ids
Returns = Literal["last", "each", "none"]


class AdaptiveFields(TypedDict, total=False):
    """The lengths of the contexts that are counted, how far back, and whether sampled text is learned."""

    orders: list[int]
    window: int
    learn_drawn: bool


class AdaptiveArguments(TypedDict, total=False):
    """Whether the text is learned while it is read: true, or how."""

    adaptive: bool | AdaptiveFields


class CallArguments(TypedDict, total=False):
    """How many seconds the server may take, and the priority: the lowest number goes first."""

    timeout: float
    priority: int


class StateArguments(TypedDict, total=False):
    """The state to continue from, and whether to return the next one."""

    state: bytes
    return_state: bool


class ChangeArguments(TypedDict, total=False):
    """The revision that the session must be at; `session_moved` if it is at another."""

    if_revision: int


class RewindArguments(CallArguments, ChangeArguments, total=False):
    """Those of a call that changes a session and runs its model."""


class SessionScoreArguments(CallArguments, total=False):
    """How a session scores strings."""

    include_end: bool
    return_chars: bool


class ScoreArguments(SessionScoreArguments, StateArguments, AdaptiveArguments, total=False):
    """How strings are scored."""

    context: str


class CompareArguments(CallArguments, AdaptiveArguments, total=False):
    """How candidates are compared."""

    context: str
    include_end: bool
    reference_model: str
    rank_by: RankBy


class JudgeArguments(CallArguments, StateArguments, AdaptiveArguments, total=False):
    """At which rate of false alarms strings are judged, and whether the reasons are returned."""

    false_alarm_rate: float
    return_reasons: bool


class NextArguments(CallArguments, StateArguments, AdaptiveArguments, total=False):
    """How many of the likeliest characters to return."""

    top: int


class InspectArguments(CallArguments, total=False):
    """Which states and gates of which layers to return. `encoding_format` is a field of REST alone."""

    layers: list[int]
    states: list[StateName]
    gates: list[GateName]
    encoding_format: Literal["float", "base64"]


class TokenizeArguments(CallArguments, total=False):
    """Whether to put the begin symbol in front, and to return the text of each id."""

    add_special_tokens: bool
    return_token_strs: bool


class SamplingArguments(CallArguments, total=False):
    """How characters are sampled."""

    max_tokens: int
    min_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    seed: int
    stop: list[str]
    stop_token_ids: list[int]
    include_stop_str_in_output: bool
    allowed_chars: str
    regex: str
    logit_bias: dict[str, float]
    presence_penalty: float
    frequency_penalty: float
    repetition_penalty: float
    logprobs: int
    post_sampling_logprobs: bool
    return_token_ids: bool
    stream_options: dict[str, Any]


class CompletionArguments(SamplingArguments, StateArguments, ChangeArguments, AdaptiveArguments, total=False):
    """How completions are sampled, how many, and what they continue."""

    n: int
    best_of: int
    echo: bool
    prompt_logprobs: int
    suffix: str
    user: str
    request_id: str
    session_id: str


class SampleArguments(SamplingArguments, ChangeArguments, total=False):
    """How a session samples characters."""


class FeedArguments(CallArguments, ChangeArguments, total=False):
    """How many of the likeliest characters to return."""

    top: int


class SessionNextArguments(CallArguments, total=False):
    """How many of the likeliest characters to return."""

    top: int


class CreateSessionArguments(CallArguments, AdaptiveArguments, total=False):
    """What a session begins with, and how long it lives without use."""

    session_id: str
    ttl_seconds: float
    prime: str
    seed: int
