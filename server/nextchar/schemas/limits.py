"""How much one request may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Of requests that wait, the lowest number goes first: 0 by default, below it in a hurry, above it in none.
MIN_PRIORITY, MAX_PRIORITY = -100, 100
# Of a request over HTTP: its line and its headers. gRPC has a limit of its own for metadata.
MAX_HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit is inclusive.

    `max_request_chars` bounds the work of one request: all its strings, and their context; of completions,
    all that is read and may be drawn. `max_choices` are prompts times the completions of each.
    """

    max_strings: int = 2048
    max_input_chars: int = 65_536
    max_request_chars: int = 1_048_576
    max_tokens: int = 16_384
    max_inspect_chars: int = 512
    max_choices: int = 256
    strict_characters: bool = False


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one owner may have, and how long a session lives that is not used.

    `max_state_bytes` of all an owner's sessions as they are stored; `ttl_seconds_by_model` where a model has
    its own; `replays`: sessions of a version that was let go are read into the newest one.
    """

    max_sessions: int = 100_000
    max_state_bytes: int = 1 << 30
    max_checkpoints: int = 16
    ttl_seconds: float = 3600.0
    ttl_seconds_by_model: Mapping[str, float] = field(default_factory=dict)
    replays: bool = False


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """What a door takes of one request, and for how long it may come, wait and be answered."""

    max_body_bytes: int = 4 * 1024 * 1024
    request_timeout_seconds: float = 60.0
    queue_timeout_seconds: float = 15.0
    max_lanes_per_key: int | None = None
