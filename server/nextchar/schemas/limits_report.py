"""What the server says of its limits. Every limit is inclusive; what is null has none."""

from nextchar.schemas.base import ResponseModel


class RequestLimits(ResponseModel):
    """Of one request. `max_n` of one prompt's completions, `max_choices` of all its prompts' together."""

    max_body_bytes: int
    max_strings: int
    max_input_chars: int
    max_request_chars: int
    max_tokens: int
    max_choices: int
    max_inspect_chars: int
    strict_characters: bool
    timeout_seconds: float
    queue_timeout_seconds: float
    max_n: int
    max_stops: int
    max_top_logprobs: int
    max_pattern_chars: int
    max_head_bytes: int


class OwnerLimits(ResponseModel):
    """Of one owner's sessions, and of one key."""

    max_sessions: int
    max_state_bytes: int
    max_checkpoints: int
    session_ttl_seconds: float
    max_lanes_per_key: int | None


class ModelLimits(ResponseModel):
    """Of one model: rows, the line before them, and the memory they take, by docs/performance.md's formulas.

    `rows_bytes` is fixed; `max_waiting_bytes` is the most a full line of the longest request may hold.
    """

    model: str
    model_version: str
    max_lanes: int
    max_bulk_lanes: int
    max_waiting: int
    state_bytes: int
    rows_bytes: int
    max_waiting_bytes: int


class LimitsResponse(ResponseModel):
    request: RequestLimits
    owner: OwnerLimits
    models: list[ModelLimits]
