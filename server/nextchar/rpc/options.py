"""Holds the options of gRPC connections: keepalive, age, timeouts and the number of calls."""

from dataclasses import dataclass

_MILLISECONDS = 1000
MOST = 2**31 - 1  # the largest argument of gRPC, where it means "no limit"
# The calls of one method that gRPC has received and the server has not looked at, for each that it answers at
# a time. A connection can have no more of them than `max_connection_calls`, also if it resets each at once.
_NUM_WAITING_PER_CALL = 16


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """Holds the options under gRPC's own names, which its doc/keepalive.md explains; an age of 0 is no limit.

    `receive_timeout_seconds` limits the handshake of a new connection. A connection beyond `max_connections`
    is closed. `max_calls` is kept by the server (`CallLimitInterceptor`), whose error says when to retry;
    gRPC's own limits end a call without one. With `reflection` clients can ask for the proto files.
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
    max_calls: int = 8192
    max_connection_calls: int = 1024
    reflection: bool = True

    def channel_arguments(self) -> tuple[tuple[str, int], ...]:
        """Returns the arguments of a gRPC server."""
        age = self.max_connection_age_seconds
        num_waiting = min(_NUM_WAITING_PER_CALL * self.max_calls, MOST)
        return (
            ("grpc.keepalive_time_ms", _ms(self.keepalive_time_seconds)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout_seconds)),
            ("grpc.keepalive_permit_without_calls", int(self.keepalive_without_calls)),
            ("grpc.http2.max_pings_without_data", min(self.max_idle_pings, MOST)),
            ("grpc.http2.min_ping_interval_without_data_ms", _ms(self.min_ping_interval_seconds)),
            ("grpc.http2.max_ping_strikes", min(self.max_ping_strikes, MOST)),
            ("grpc.max_connection_age_ms", _ms(age) if age else MOST),
            ("grpc.max_connection_age_grace_ms", _ms(self.max_connection_age_grace_seconds)),
            ("grpc.server_handshake_timeout_ms", _ms(self.receive_timeout_seconds)),
            ("grpc.max_allowed_incoming_connections", min(self.max_connections, MOST)),
            ("grpc.max_concurrent_streams", min(self.max_connection_calls, MOST)),
            # Up to the first it queues all calls, from the second on none; in between it ends some by chance.
            ("grpc.server.max_pending_requests", num_waiting),
            ("grpc.server.max_pending_requests_hard_limit", num_waiting),
        )


def _ms(seconds: float) -> int:
    return min(MOST, round(seconds * _MILLISECONDS))
