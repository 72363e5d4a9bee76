"""Groups the settings into the options of the parts that use them."""

from typing import TYPE_CHECKING

from nextchar.engine.options import EngineOptions
from nextchar.engine.turns.core_share import CoreShare
from nextchar.entrypoints.settings import Settings
from nextchar.errors import SettingsInvalid
from nextchar.model.cores import cpu_limit, num_cores
from nextchar.repository.manager import ModelManagerOptions
from nextchar.rpc.options import GrpcOptions
from nextchar.schemas.limits import ApiLimits, Limits, SessionLimits

if TYPE_CHECKING:
    from nextchar.rest.http.protocol import ConnectionLimits
    from nextchar.security.tls import TlsFiles


def engine_options(settings: Settings) -> EngineOptions:
    return EngineOptions(
        max_lanes=settings.max_lanes,
        reserved_lanes=settings.reserved_lanes,
        max_bulk_lanes=settings.max_bulk_lanes,
        max_waiting=settings.max_waiting,
        max_wait_seconds=settings.queue_timeout_seconds,
        max_table_bytes=settings.max_adaptive_table_bytes,
        share=CoreShare(num_cores(), cpu_limit()),
    )


def model_manager_options(settings: Settings) -> ModelManagerOptions:
    return ModelManagerOptions(
        precision=settings.precision,
        latest_only=settings.model_versions == "latest",
        unload_after_seconds=settings.unload_after_seconds,
    )


def limits(settings: Settings) -> Limits:
    return Limits(
        max_strings=settings.max_strings,
        max_input_chars=settings.max_input_chars,
        max_request_chars=settings.max_request_chars,
        max_tokens=settings.max_tokens,
        max_inspect_chars=settings.max_inspect_chars,
        max_choices=settings.max_choices,
        max_answer_bytes=settings.max_answer_bytes,
        max_adaptive_window=settings.max_adaptive_window,
        strict_characters=settings.strict_characters,
    )


def api_limits(settings: Settings) -> ApiLimits:
    return ApiLimits(
        max_body_bytes=settings.max_body_bytes,
        receive_timeout_seconds=settings.receive_timeout_seconds,
        request_timeout_seconds=settings.request_timeout_seconds,
        queue_timeout_seconds=settings.queue_timeout_seconds,
        max_lanes_per_key=settings.max_lanes_per_key,
    )


def session_limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        max_sessions=settings.max_sessions,
        max_state_bytes=settings.max_state_bytes,
        ttl_seconds=settings.session_ttl_seconds,
        ttl_seconds_by_model=settings.model_session_ttl_seconds,
        replays=settings.replay_sessions,
    )


def grpc_options(settings: Settings) -> GrpcOptions:
    return GrpcOptions(
        keepalive_time_seconds=settings.grpc_keepalive_time_seconds,
        keepalive_timeout_seconds=settings.grpc_keepalive_timeout_seconds,
        keepalive_without_calls=settings.grpc_keepalive_without_calls,
        max_idle_pings=settings.grpc_max_idle_pings,
        min_ping_interval_seconds=settings.grpc_min_ping_interval_seconds,
        max_ping_strikes=settings.grpc_max_ping_strikes,
        max_connection_age_seconds=settings.grpc_max_connection_age_seconds,
        max_connection_age_grace_seconds=settings.grpc_max_connection_age_grace_seconds,
        receive_timeout_seconds=settings.receive_timeout_seconds,
        max_connections=settings.max_connections,
        max_calls=settings.grpc_max_calls,
        max_connection_calls=settings.grpc_max_connection_calls,
        reflection=settings.grpc_reflection,
    )


def connection_limits(settings: Settings) -> "ConnectionLimits":
    from nextchar.rest.http.protocol import ConnectionLimits  # imports uvicorn, which loads while models open

    return ConnectionLimits(
        max_connections=settings.max_connections,
        receive_timeout_seconds=settings.receive_timeout_seconds,
        send_timeout_seconds=settings.send_timeout_seconds,
        keep_alive_timeout_seconds=settings.keep_alive_timeout_seconds,
    )


def tls_files(settings: Settings) -> "TlsFiles | None":
    """Returns the files of the certificate; None if TLS is off.

    Raises:
        SettingsInvalid: the certificate or its key is missing.
    """
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None and key is None and settings.tls_client_ca_file is None:
        return None
    if certificate is None or key is None:
        raise SettingsInvalid("tls_certificate_file and tls_key_file must be set together")
    from nextchar.security.tls import TlsFiles  # imports gRPC, which loads while models open

    return TlsFiles(certificate, key, settings.tls_client_ca_file)
