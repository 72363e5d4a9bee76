"""How much one request may ask for."""

from dataclasses import dataclass

# Of requests that wait, the lowest number goes first: 0 by default, below it in a hurry, above it in none.
MIN_PRIORITY, MAX_PRIORITY = -100, 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit is inclusive.

    `max_request_chars` bounds the work of one request: all its strings, and their context.
    """

    max_strings: int = 2048
    max_input_chars: int = 65_536
    max_request_chars: int = 1_048_576
    max_tokens: int = 16_384
    max_inspect_chars: int = 512
    strict_characters: bool = False


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions one owner may have, and how long one lives that is not used."""

    max_sessions: int = 100_000
    max_checkpoints: int = 16
    ttl_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a door takes of one request, and for how long it may come, wait and be answered."""

    max_body_bytes: int = 4 * 1024 * 1024
    request_timeout_seconds: float = 60.0
    queue_timeout_seconds: float = 15.0
    max_lanes_per_key: int | None = None
