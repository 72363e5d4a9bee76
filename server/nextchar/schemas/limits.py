"""Defines the limits of requests, of sessions and of the APIs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Of requests that wait, the lowest number is served first; the default is 0.
MIN_PRIORITY, MAX_PRIORITY = -100, 100
# The largest integer of a request that has no smaller limit: the stores and the arrays hold 64 bits.
MAX_INTEGER = 2**63 - 1
# The request line and the headers of an HTTP request. gRPC has a limit of its own for metadata.
MAX_HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request; all are inclusive.

    `max_request_chars` bounds the work of one request: the characters of all its strings and their context,
    and in completions those that may be sampled too. `max_choices` bounds the number of prompts times the
    number of completions of each. `max_answer_bytes` bounds what the answer may take, as
    `service/inference/answer_weight.py` estimates it: eight of them fit in 1 GiB beside the server.
    `max_inspect_values` bounds the numbers in the answer of an inspection: 512 characters of 512 units.
    `max_adaptive_window` bounds the characters that an adaptive text remembers; 0 turns such texts off.
    """

    max_strings: int = 2048
    max_input_chars: int = 65_536
    max_request_chars: int = 1_048_576
    max_tokens: int = 16_384
    max_inspect_chars: int = 512
    max_inspect_values: int = 262_144
    max_choices: int = 256
    max_answer_bytes: int = 64 * 1024 * 1024
    max_adaptive_window: int = 65_536
    strict_characters: bool = False


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The limits of one owner's sessions, and how long a session lives without use.

    `max_state_bytes` bounds the sum over the owner's sessions as they are stored. `ttl_seconds_by_model`
    holds the models with a time to live of their own. With `replays`, sessions of an unloaded version are
    replayed into the newest one.
    """

    max_sessions: int = 100_000
    max_state_bytes: int = 1 << 30
    max_checkpoints: int = 16
    ttl_seconds: float = 3600.0
    ttl_seconds_by_model: Mapping[str, float] = field(default_factory=dict)
    replays: bool = False

    def ttl_seconds_of(self, model: str) -> float:
        """Returns how long a session of a model lives without use, if its request does not say."""
        return self.ttl_seconds_by_model.get(model, self.ttl_seconds)


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """The limits of REST and gRPC: how large a request may be, and how long it may arrive, wait and take.

    `max_lanes_per_key` bounds the lanes that one API key may use at a time; None is no limit.
    """

    max_body_bytes: int = 4 * 1024 * 1024
    receive_timeout_seconds: float = 20.0
    request_timeout_seconds: float = 60.0
    queue_timeout_seconds: float = 15.0
    max_lanes_per_key: int | None = None
