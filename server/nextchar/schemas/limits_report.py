"""Defines the answer of `/v1/limits`. Every limit is inclusive; null means that there is none."""

from nextchar.schemas.base import ResponseModel


class RequestLimits(ResponseModel):
    """The limits of one request.

    `receive_timeout_seconds` bounds how long its head and its body may each take to arrive, over REST.
    `max_inspect_values` bounds the numbers in the answer of an inspection: characters times units.
    `max_n` bounds the completions of one prompt, `max_choices` those of all prompts of a request. Those of
    `adaptive` bound how many contexts are counted, their lengths, and the characters that are remembered;
    `max_adaptive_window` 0 says that there are no adaptive texts.
    """

    max_body_bytes: int
    max_strings: int
    max_input_chars: int
    max_request_chars: int
    max_tokens: int
    max_choices: int
    max_answer_bytes: int
    max_inspect_chars: int
    max_inspect_values: int
    strict_characters: bool
    receive_timeout_seconds: float
    timeout_seconds: float
    queue_timeout_seconds: float
    max_n: int
    max_stops: int
    max_top_logprobs: int
    max_pattern_chars: int
    max_head_bytes: int
    max_adaptive_orders: int
    max_adaptive_order: int
    min_adaptive_window: int
    max_adaptive_window: int


class OwnerLimits(ResponseModel):
    """The limits of one owner's sessions, and of one API key."""

    max_sessions: int
    max_state_bytes: int
    max_checkpoints: int
    session_ttl_seconds: float
    max_lanes_per_key: int | None


class ModelLimits(ResponseModel):
    """The limits of one model: its rows, its queue, and their memory by the formulas of docs/performance.md.

    `session_ttl_seconds` is of a session whose request does not say. `rows_bytes` is allocated at the start.
    `max_waiting_bytes` is the largest size of the queue: full, with strings of the greatest length.
    `max_adaptive_table_bytes` is that of the tables of adaptive lanes.
    """

    model: str
    model_version: str
    session_ttl_seconds: float
    max_lanes: int
    max_bulk_lanes: int
    max_waiting: int
    state_bytes: int
    rows_bytes: int
    max_waiting_bytes: int
    max_adaptive_table_bytes: int


class LimitsResponse(ResponseModel):
    """The limits of requests, of owners and of each served model."""

    request: RequestLimits
    owner: OwnerLimits
    models: list[ModelLimits]
