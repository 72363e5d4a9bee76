"""Defines the server's settings: one field each, set by a flag of `nextchar serve`, NEXTCHAR_… or a file.

The last word of a number's name is its unit (`settings_reference.UNITS`).
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
)

from nextchar.entrypoints.settings_models import ModelSettings
from nextchar.entrypoints.settings_sources import check_environment, read_file
from nextchar.rpc.options import GrpcOptions
from nextchar.schemas.adaptive import MAX_WINDOW, MIN_WINDOW
from nextchar.schemas.limits import Limits, SessionLimits
from nextchar.schemas.sessions import MAX_TTL_SECONDS
from nextchar.telemetry.logs import LogFormat

_LIMITS = Limits()
_SESSIONS = SessionLimits()
_GRPC = GrpcOptions()
_BYTE_ORDER_MARK = "\ufeff"
_SecondsByModel = dict[str, Annotated[float, Field(gt=0, le=MAX_TTL_SECONDS)]]


class Settings(ModelSettings):
    """The settings of one server, read once at start.

    A flag overrides the environment, which overrides the file, which overrides the default. An empty variable
    is as if it were not set: compose files and charts make them so. An empty flag or entry is refused.
    """

    max_strings: int = Field(
        _LIMITS.max_strings, ge=1, description="Largest number of strings in a score request."
    )
    max_input_chars: int = Field(
        _LIMITS.max_input_chars, ge=1, description="Largest number of characters in one text."
    )
    max_request_chars: int = Field(
        _LIMITS.max_request_chars,
        ge=1,
        description="Largest number of characters in a request, of all strings and the context.",
    )
    max_tokens: int = Field(
        _LIMITS.max_tokens, ge=1, description="Largest number of characters sampled in a completion."
    )
    max_inspect_chars: int = Field(
        _LIMITS.max_inspect_chars,
        ge=0,
        le=4096,
        description="Largest number of characters in an inspect request; 0 turns inspection off.",
    )
    max_choices: int = Field(
        _LIMITS.max_choices,
        ge=1,
        description="Largest number of completions of a request: prompts times n or best_of.",
    )
    max_answer_bytes: int = Field(
        _LIMITS.max_answer_bytes,
        ge=64 * 1024,
        description="Largest size of the answer to a request, estimated before any work is done for it.",
    )
    max_adaptive_window: int = Field(
        _LIMITS.max_adaptive_window,
        ge=0,
        le=MAX_WINDOW,
        description="Largest number of characters that an adaptive text remembers, a power of two from "
        f"{MIN_WINDOW}; 0 turns adaptive texts off.",
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Largest size of a request's body.")
    strict_characters: bool = Field(
        False, description="Refuse text with characters outside the vocabulary instead of counting them."
    )
    lenient_fields: bool = Field(
        False,
        description="Ignore unknown fields of a JSON body or a message instead of refusing the request.",
    )
    max_lanes_per_key: int | None = Field(
        None, ge=1, description="Number of rows an API key may use at a time if its record sets no limit."
    )
    playground: bool = Field(True, description="Serve the playground, a page at /.")
    data_dir: Path | None = Field(
        None, description="The folder for sessions and the state key, which outlive the process."
    )
    api_keys_file: Path | None = Field(
        None,
        description="The file of API keys that `nextchar keys new` writes; without it requests need no key.",
    )
    session_store: str | None = Field(
        None,
        description="The session store: memory:, sqlite:///path or valkey://host. By default it is SQLite in "
        "data_dir if that is set, else memory:.",
    )
    state_key: SecretStr | None = Field(
        None,
        description="The secret that seals exported states, of at least 32 characters. By default it is made "
        "and kept in data_dir.",
    )
    max_sessions: int = Field(
        _SESSIONS.max_sessions, ge=0, description="Largest number of sessions of an owner."
    )
    session_ttl_seconds: float = Field(
        _SESSIONS.ttl_seconds,
        gt=0,
        le=MAX_TTL_SECONDS,
        description="Time after its last use until a session expires.",
    )
    model_session_ttl_seconds: Annotated[_SecondsByModel, NoDecode] = Field(
        {}, description='Times until a session of a model expires, by model, as JSON: {"shakespeare": 600}.'
    )
    max_state_bytes: int = Field(
        _SESSIONS.max_state_bytes, ge=0, description="Largest total size of the stored states of an owner."
    )
    replay_sessions: bool = Field(
        False,
        description="Rebuild a session whose version is gone by reading its last characters into the latest.",
    )
    request_timeout_seconds: float = Field(60.0, gt=0, description="The longest time a request may take.")
    receive_timeout_seconds: float = Field(
        20.0,
        gt=0,
        description="The longest time the head or the body of a request, or the start of a gRPC connection, "
        "may take to arrive.",
    )
    send_timeout_seconds: float = Field(
        30.0,
        gt=0,
        description="Time after which a client that reads less than 512 bytes per second is disconnected.",
    )
    keep_alive_timeout_seconds: float = Field(
        30.0, gt=0, description="The longest time a REST connection may be idle after a response."
    )
    max_connections: int = Field(
        8192,
        ge=1,
        description="Largest number of connections of REST, and of gRPC, at a time; fewer if the limit of "
        "open files (ulimit -n) is too low for both.",
    )
    tls_certificate_file: Path | None = Field(
        None, description="The certificate chain of REST and gRPC, in PEM; it is reloaded when it changes."
    )
    tls_key_file: Path | None = Field(None, description="The private key of the certificate, in PEM.")
    tls_client_ca_file: Path | None = Field(
        None,
        description="The authority that signs client certificates, in PEM; if set, every client needs one.",
    )
    cors_origins: str | None = Field(
        None, description="The origins whose pages may call the REST API, separated by commas, or * for all."
    )
    allowed_hosts: str | None = Field(
        None,
        description="The names, besides IP addresses, localhost and the server's own, by which REST may be "
        "called without API keys and TLS, separated by commas; *.name is for all below a name, * for all.",
    )
    queue_timeout_seconds: float = Field(
        15.0, gt=0, description="The longest time a request may wait in the queue."
    )
    shutdown_timeout_seconds: float = Field(
        20.0, ge=0, description="The longest time running requests may take to finish at shutdown."
    )
    grpc_keepalive_time_seconds: float = Field(
        _GRPC.keepalive_time_seconds,
        ge=1,
        description="Time without data after which a gRPC client is pinged.",
    )
    grpc_keepalive_timeout_seconds: float = Field(
        _GRPC.keepalive_timeout_seconds,
        gt=0,
        description="Time without an answer to a ping after which a gRPC connection is closed.",
    )
    grpc_keepalive_without_calls: bool = Field(
        _GRPC.keepalive_without_calls, description="Send and accept gRPC pings while no call runs."
    )
    grpc_max_idle_pings: int = Field(
        _GRPC.max_idle_pings,
        ge=0,
        description="Largest number of gRPC pings sent while there is no data; 0 is no limit.",
    )
    grpc_min_ping_interval_seconds: float = Field(
        _GRPC.min_ping_interval_seconds,
        ge=0,
        description="Shortest time between two pings of a gRPC client; an earlier ping is a strike.",
    )
    grpc_max_ping_strikes: int = Field(
        _GRPC.max_ping_strikes,
        ge=0,
        description="Largest number of strikes before a gRPC connection is closed; 0 is no limit.",
    )
    grpc_max_calls: int = Field(
        _GRPC.max_calls,
        ge=1,
        description="Largest number of gRPC calls at a time; those of health are counted by themselves.",
    )
    grpc_max_connection_calls: int = Field(
        _GRPC.max_connection_calls,
        ge=1,
        description="Largest number of calls of one gRPC connection at a time; clients hold back the others.",
    )
    grpc_reflection: bool = Field(
        _GRPC.reflection, description="Answer gRPC reflection, by which tools learn the services."
    )
    grpc_max_connection_age_seconds: float = Field(
        _GRPC.max_connection_age_seconds,
        ge=0,
        description="Age at which a gRPC connection is closed, so that clients change replicas; 0 is never.",
    )
    grpc_max_connection_age_grace_seconds: float = Field(
        _GRPC.max_connection_age_grace_seconds,
        ge=0,
        description="The longest time the calls of a gRPC connection that is too old may take to finish.",
    )
    log_format: LogFormat = Field(
        "auto", description="The format of log lines; auto is text on a terminal and JSON elsewhere."
    )
    log_requests: bool = Field(True, description="Log one line for every request, without its text.")
    otlp_endpoint: str | None = Field(
        None, description="The OTLP receiver of traces over HTTP, as http://host:4318; needs the extra otel."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level of messages that are logged."
    )

    @field_validator("max_adaptive_window")
    @classmethod
    def _window(cls, value: int) -> int:
        if value and (value < MIN_WINDOW or value & (value - 1)):
            raise ValueError(f"must be 0 or a power of two from {MIN_WINDOW} to {MAX_WINDOW}")
        return value

    @field_validator("model_session_ttl_seconds", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        """Parses the text of a flag or a variable."""
        try:
            return json.loads(value.removeprefix(_BYTE_ORDER_MARK)) if isinstance(value, str) else value
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"is not JSON: {error}") from None

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        """Refuses an empty text, which would be the working folder as a path, and what no path can hold."""
        if value == "":
            raise ValueError("is empty; leave it out for the default")
        if isinstance(value, str) and "\0" in value:
            raise ValueError("holds a null character")
        return value

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns the sources of settings, the first wins (a hook of pydantic-settings).

        Raises:
            SettingsInvalid: the environment or the file has an unknown name, or the file cannot be read.
        """
        check_environment(os.environ, cls.model_fields)
        path = init_settings().get("config") or env_settings().get("config")
        values = read_file(Path(path), cls.model_fields) if path else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, values)
