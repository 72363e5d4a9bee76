"""The server's settings: one field each, from a flag of `nextchar serve`, the environment (NEXTCHAR_…) or a
file. The last word of a number's name is its unit (`setting_texts.UNITS`)."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from nextchar.entrypoints.cpu_count import num_cores
from nextchar.entrypoints.settings_sources import PREFIX, check_environment, read_file
from nextchar.errors import SettingsInvalid
from nextchar.repository.folder import PrecisionChoice
from nextchar.repository.manager import ModelManagerOptions
from nextchar.rpc.options import GrpcOptions
from nextchar.schemas.limits import ApiLimits, Limits, SessionLimits
from nextchar.schemas.sessions import MAX_TTL_SECONDS
from nextchar.telemetry.logs import LogFormat

if TYPE_CHECKING:
    from nextchar.security.tls import TlsFiles

_LIMITS = Limits()
_SESSIONS = SessionLimits()
_GRPC = GrpcOptions()


def default_engine_threads() -> int:
    """All cores but one, which the event loop needs."""
    return max(1, num_cores() - 1)


Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """Read once at the edge. A flag beats the environment, which beats the file, which beats the default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    config: Path | None = Field(None, description="A TOML file of settings, by name.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    http_port: Port = Field(8000, description="The port of REST.")
    grpc_port: Port = Field(8001, description="The port of gRPC.")
    metrics_port: Port = Field(8002, description="The port of Prometheus metrics.")
    models: Path = Field(Path("models"), description="The folder of models: <name>/<version>/.")
    default_model: str | None = Field(
        None,
        description="The model of /tokenize and its like where a call names none and several are served.",
    )
    precision: PrecisionChoice = Field("auto", description="Which step graph; auto: int8 where there is one.")
    model_versions: Literal["all", "latest"] = Field(
        "all", description="Which versions take new work: all, or of each model the highest only."
    )
    model_poll_seconds: float = Field(
        0.0, ge=0, description="How often to look for new versions in the models folder; 0: never."
    )
    unload_after_seconds: float = Field(
        3600.0, ge=0, description="How long an unloaded version stays for the sessions that began with it."
    )
    engine_threads: int = Field(
        default_factory=default_engine_threads,
        ge=1,
        le=256,
        description="Threads that run a model; one core is left to the event loop.",
        json_schema_extra={"shown_default": "all cores but one"},
    )
    max_lanes: int = Field(128, ge=1, le=4096, description="Completions an engine thread runs at a time.")
    reserved_lanes: int = Field(16, ge=0, le=4096, description="Rows more, for live requests only.")
    max_bulk_lanes: int = Field(64, ge=1, le=4096, description="Rows of an engine thread that score jobs.")
    max_waiting: int = Field(8192, ge=1, description="Strings that may wait for a row, by model.")
    max_strings: int = Field(_LIMITS.max_strings, ge=1, description="Strings in one score request.")
    max_input_chars: int = Field(_LIMITS.max_input_chars, ge=1, description="Characters of one text.")
    max_request_chars: int = Field(
        _LIMITS.max_request_chars, ge=1, description="Characters of one request, strings and context."
    )
    max_tokens: int = Field(_LIMITS.max_tokens, ge=1, description="Characters of one completion.")
    max_inspect_chars: int = Field(
        _LIMITS.max_inspect_chars, ge=0, le=4096, description="Characters of one inspection; 0 turns it off."
    )
    max_choices: int = Field(
        _LIMITS.max_choices, ge=1, description="Completions of one request: prompts times n or best_of."
    )
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Bytes of one request's body.")
    strict_characters: bool = Field(
        False, description="Refuse characters outside the vocabulary instead of counting them."
    )
    lenient_fields: bool = Field(
        False,
        description="Pass over fields of a JSON body or a message that are not known here, not refuse them.",
    )
    max_lanes_per_key: int | None = Field(
        None, ge=1, description="Lanes a key may have at a time that says nothing of its own."
    )
    playground: bool = Field(True, description="Serve the page at /.")
    data_dir: Path | None = Field(None, description="The folder for what must outlive the process.")
    api_keys_file: Path | None = Field(
        None, description="API keys, as `nextchar keys new` writes them; without it no key is needed."
    )
    session_store: str | None = Field(
        None,
        description="memory:, sqlite:///path or valkey://host; by default sqlite in data_dir, or memory.",
    )
    state_key: SecretStr | None = Field(
        None, description="Seals exported states, 32 characters at least; kept in the data folder by default."
    )
    max_sessions: int = Field(_SESSIONS.max_sessions, ge=0, description="Sessions one owner may have.")
    session_ttl_seconds: float = Field(
        _SESSIONS.ttl_seconds, gt=0, le=MAX_TTL_SECONDS, description="How long an unused session lives."
    )
    model_session_ttl_seconds: dict[str, Annotated[float, Field(gt=0, le=MAX_TTL_SECONDS)]] = Field(
        {}, description='The same for models that have their own, as JSON: {"shakespeare": 600}.'
    )
    max_state_bytes: int = Field(
        _SESSIONS.max_state_bytes, ge=0, description="Bytes of all states that one owner may have stored."
    )
    replay_sessions: bool = Field(
        False,
        description="Read the last characters of a session into the newest version when its own is gone.",
    )
    request_timeout_seconds: float = Field(60.0, gt=0, description="The longest a request may take.")
    receive_timeout_seconds: float = Field(
        20.0,
        gt=0,
        description="The longest the head of a request, and its body, may take to arrive; and what a "
        "connection of gRPC begins with.",
    )
    send_timeout_seconds: float = Field(
        30.0, gt=0, description="A client that reads less than 512 bytes a second for so long is dropped."
    )
    keep_alive_timeout_seconds: float = Field(
        30.0, gt=0, description="How long a connection of REST may be idle after an answer."
    )
    max_connections: int = Field(8192, ge=1, description="Connections of REST at a time.")
    tls_certificate_file: Path | None = Field(
        None, description="The certificate chain (PEM) of REST and gRPC; read again when it changes."
    )
    tls_key_file: Path | None = Field(None, description="The certificate's key (PEM).")
    tls_client_ca_file: Path | None = Field(
        None, description="Who signs clients' certificates (PEM): without one of theirs nobody may connect."
    )
    cors_origins: str | None = Field(
        None, description="Origins whose pages may call, separated by commas, or *."
    )
    queue_timeout_seconds: float = Field(15.0, gt=0, description="The longest a request may wait for a row.")
    shutdown_timeout_seconds: float = Field(20.0, ge=0, description="How long running requests may finish.")
    grpc_keepalive_time_seconds: float = Field(
        _GRPC.keepalive_time_seconds, ge=1, description="Ping a gRPC client that was silent for so long."
    )
    grpc_keepalive_timeout_seconds: float = Field(
        _GRPC.keepalive_timeout_seconds, gt=0, description="End a connection whose ping has no answer."
    )
    grpc_keepalive_without_calls: bool = Field(
        _GRPC.keepalive_without_calls, description="Ping, and be pinged, while no call runs."
    )
    grpc_max_idle_pings: int = Field(
        _GRPC.max_idle_pings, ge=0, description="Pings sent while there is no data; 0 is no limit."
    )
    grpc_min_ping_interval_seconds: float = Field(
        _GRPC.min_ping_interval_seconds, ge=0, description="Clients that ping more often get a strike."
    )
    grpc_max_ping_strikes: int = Field(
        _GRPC.max_ping_strikes, ge=0, description="After more, the connection ends; 0 is no limit."
    )
    grpc_max_connection_age_seconds: float = Field(
        _GRPC.max_connection_age_seconds,
        ge=0,
        description="End a connection of this age, so that clients spread over replicas; 0 never does.",
    )
    grpc_max_connection_age_grace_seconds: float = Field(
        _GRPC.max_connection_age_grace_seconds, ge=0, description="How long its running calls may go on."
    )
    log_format: LogFormat = Field(
        "auto", description="How log lines look; auto: text on a terminal, JSON elsewhere."
    )
    log_requests: bool = Field(True, description="Log one line for every request; never its text.")
    otlp_endpoint: str | None = Field(
        None, description="Where traces go, by OTLP over HTTP, as http://host:4318; needs the extra otel."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe messages that are logged."
    )

    @field_validator("model_session_ttl_seconds", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        """A flag's text; of the environment pydantic-settings reads it."""
        try:
            return json.loads(value) if isinstance(value, str) else value
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON: {error}") from None

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """pydantic-settings' hook: which sources, first wins.

        Raises:
            SettingsInvalid: an unknown name in the environment or the file, or no such file.
        """
        check_environment(os.environ, cls.model_fields)
        path = init_settings().get("config") or env_settings().get("config")
        values = read_file(Path(path), cls.model_fields) if path else {}
        return init_settings, env_settings, InitSettingsSource(settings_cls, values)

    @property
    def model_manager(self) -> ModelManagerOptions:
        return ModelManagerOptions(
            precision=self.precision,
            latest_only=self.model_versions == "latest",
            unload_after_seconds=self.unload_after_seconds,
        )

    @property
    def api_limits(self) -> ApiLimits:
        return ApiLimits(
            max_body_bytes=self.max_body_bytes,
            request_timeout_seconds=self.request_timeout_seconds,
            queue_timeout_seconds=self.queue_timeout_seconds,
            max_lanes_per_key=self.max_lanes_per_key,
        )

    @property
    def session_limits(self) -> SessionLimits:
        return SessionLimits(
            max_sessions=self.max_sessions,
            max_state_bytes=self.max_state_bytes,
            ttl_seconds=self.session_ttl_seconds,
            ttl_seconds_by_model=self.model_session_ttl_seconds,
            replays=self.replay_sessions,
        )

    @property
    def grpc_options(self) -> GrpcOptions:
        return GrpcOptions(
            keepalive_time_seconds=self.grpc_keepalive_time_seconds,
            keepalive_timeout_seconds=self.grpc_keepalive_timeout_seconds,
            keepalive_without_calls=self.grpc_keepalive_without_calls,
            max_idle_pings=self.grpc_max_idle_pings,
            min_ping_interval_seconds=self.grpc_min_ping_interval_seconds,
            max_ping_strikes=self.grpc_max_ping_strikes,
            max_connection_age_seconds=self.grpc_max_connection_age_seconds,
            max_connection_age_grace_seconds=self.grpc_max_connection_age_grace_seconds,
            receive_timeout_seconds=self.receive_timeout_seconds,
        )

    @property
    def limits(self) -> Limits:
        return Limits(
            max_strings=self.max_strings,
            max_input_chars=self.max_input_chars,
            max_request_chars=self.max_request_chars,
            max_tokens=self.max_tokens,
            max_inspect_chars=self.max_inspect_chars,
            max_choices=self.max_choices,
            strict_characters=self.strict_characters,
        )

    def tls_files(self) -> "TlsFiles | None":
        """The certificate that is set, if one is.

        Raises:
            SettingsInvalid: a part is missing.
        """
        certificate, key = self.tls_certificate_file, self.tls_key_file
        if certificate is None and key is None and self.tls_client_ca_file is None:
            return None
        if certificate is None or key is None:
            raise SettingsInvalid("tls_certificate_file and tls_key_file are needed together")
        from nextchar.security.tls import TlsFiles  # and gRPC with it, which loads while models open

        return TlsFiles(certificate, key, self.tls_client_ca_file)
