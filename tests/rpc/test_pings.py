"""A connection that pings as often as the settings allow lives on, and one that pings more often is ended."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from support.live_server import LiveServer, live_server
from support.waiting import until

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
HEAD_BYTES = 9
NUM_PINGS = 20
_SECONDS = 30


def frame(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, 0, 0) + payload


def exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := connection.recv(size - len(found))):
        found += more
    return found


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    head = exactly(connection, HEAD_BYTES)
    return head[3], exactly(connection, int.from_bytes(head[:3]))


def num_answered(port: int) -> int:
    """Sends one ping after the other on a connection without calls; returns how many were answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(PREFACE + frame(SETTINGS))
        for number in range(NUM_PINGS):
            connection.sendall(frame(PING, struct.pack(">Q", number)))
            kind = SETTINGS
            while kind != PING:
                kind, payload = read_frame(connection)
                if kind == GOAWAY:
                    assert b"too_many_pings" in payload
                    return number
    return NUM_PINGS


@pytest.mark.parametrize(
    ("settings", "is_ended"),
    [
        ({}, True),
        ({"grpc_min_ping_interval_seconds": 0.0}, False),
        ({"grpc_max_ping_strikes": 0}, False),
        ({"grpc_min_ping_interval_seconds": 0.0, "grpc_keepalive_without_calls": False}, True),
    ],
)
def test_pings_without_a_pause_are_strikes_unless_the_settings_allow_them(
    models: Path, settings: dict[str, float], is_ended: bool
) -> None:
    with live_server(models, **settings) as server:
        assert (num_answered(server.app.grpc_port) < NUM_PINGS) is is_ended


class _Relay:
    """Passes connections on to a server, and counts the HTTP/2 frames that clients send by their kind."""

    def __init__(self, port: int) -> None:
        self._to = "127.0.0.1", port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.num_connections, self.kinds = 0, Counter[int]()

    @contextmanager
    def running(self) -> Iterator["_Relay"]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            for each in (self._listener, *self._open):
                each.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                self._open += client, server
                self.num_connections += 1
                for pass_on in (self._count(client, server), self._answer(client, server)):
                    threading.Thread(target=lambda passing=pass_on: list(passing), daemon=True).start()
        except OSError:  # the end
            return

    def _count(self, client: socket.socket, server: socket.socket) -> Iterator[None]:
        try:
            server.sendall(exactly(client, len(PREFACE)))
            while head := exactly(client, HEAD_BYTES):
                server.sendall(head + exactly(client, int.from_bytes(head[:3])))
                self.kinds[head[3]] += not head[4] & 1 or head[3] != PING  # and not their answers to pings
                yield
        except OSError:  # the end
            return

    def _answer(self, client: socket.socket, server: socket.socket) -> Iterator[None]:
        try:
            while data := server.recv(65536):
                client.sendall(data)
                yield
        except OSError:  # the end
            return


@contextmanager
def pinged(server: LiveServer) -> Iterator[tuple[grpc.Channel, _Relay]]:
    """A channel of gRPC's own client that pings every second, its shortest time, also while it is idle."""
    often = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    with (
        _Relay(server.app.grpc_port).running() as relay,
        grpc.insecure_channel(f"127.0.0.1:{relay.port}", often) as channel,
    ):
        yield channel, relay


def test_a_conversation_that_says_nothing_outlives_its_clients_pings(models: Path) -> None:
    with (
        live_server(models, grpc_min_ping_interval_seconds=0.1, grpc_max_ping_strikes=1) as server,
        pinged(server) as (channel, relay),
    ):
        go_on = threading.Event()

        def messages() -> Iterator[pb.SessionCall]:
            yield pb.SessionCall(create=pb.CreateSessionRequest(model="tiny"))
            assert go_on.wait(_SECONDS)
            yield pb.SessionCall(feed=pb.FeedRequest(text="a"))

        replies = stubs.SessionsStub(channel).Converse(messages())
        assert next(replies).info.session_id
        start = relay.kinds[PING]
        until(lambda: relay.kinds[PING] >= start + 4)
        go_on.set()
        assert next(replies).feed.position == 1
        assert list(replies) == []
        assert relay.num_connections == 1
