"""Holds the options of gRPC connections: keepalive, age and timeouts."""

from dataclasses import dataclass

_MILLISECONDS = 1000
_FOREVER_MS = 2**31 - 1  # means "no limit" to gRPC


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """Holds the options under gRPC's own names, which its doc/keepalive.md explains; an age of 0 is no limit.

    `receive_timeout_seconds` limits the handshake of a new connection. A connection beyond `max_connections`
    is closed.
    """

    keepalive_time_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    keepalive_without_calls: bool = True
    max_idle_pings: int = 0
    min_ping_interval_seconds: float = 10.0
    max_ping_strikes: int = 2
    max_connection_age_seconds: float = 0.0
    max_connection_age_grace_seconds: float = 600.0
    receive_timeout_seconds: float = 20.0
    max_connections: int = 8192

    def channel_arguments(self) -> tuple[tuple[str, int], ...]:
        """Returns the arguments of a gRPC server."""
        age = self.max_connection_age_seconds
        return (
            ("grpc.keepalive_time_ms", _ms(self.keepalive_time_seconds)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout_seconds)),
            ("grpc.keepalive_permit_without_calls", int(self.keepalive_without_calls)),
            ("grpc.http2.max_pings_without_data", self.max_idle_pings),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", _ms(self.min_ping_interval_seconds)),
            ("grpc.http2.max_ping_strikes", self.max_ping_strikes),
            ("grpc.max_connection_age_ms", _ms(age) if age else _FOREVER_MS),
            ("grpc.max_connection_age_grace_ms", _ms(self.max_connection_age_grace_seconds)),
            ("grpc.server_handshake_timeout_ms", _ms(self.receive_timeout_seconds)),
            ("grpc.max_allowed_incoming_connections", self.max_connections),
        )


def _ms(seconds: float) -> int:
    return min(_FOREVER_MS, round(seconds * _MILLISECONDS))
