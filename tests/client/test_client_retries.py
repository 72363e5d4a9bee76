"""The client retries where that is safe, when the server says, and no more often than it should."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from nextchar.client import AsyncClient, Client
from nextchar.client.retries import Retries
from nextchar.client.wire_errors import CONNECTION_LOST, UNREACHABLE, error_from_wire
from nextchar.errors import DeadlineExceeded, NextcharError, OutcomeUnknown, QueueFull, Unavailable
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc

NEXT = (
    b'{"model":"m","model_version":"1","data":[],"entropy_bits":0.0,'
    b'"usage":{"prompt_tokens":1,"total_tokens":1}}'
)
FULL = b'{"error":{"message":"full","type":"rate_limit_error","param":null,"code":"queue_full"}}'
DRAINING = b'{"error":{"message":"bye","type":"unavailable_error","param":null,"code":"draining"}}'
CUT = b'data: {"error":{"message":"late","type":"timeout_error","param":null,"code":"deadline_exceeded"}}\n\n'

Reply = tuple[int, dict[str, str], bytes] | None  # None: the connection is cut


@dataclass(frozen=True)
class Scripted:
    """The client, the paths that were called, and the waits between the calls."""

    client: Client
    called: list[str]
    waits: list[float]


@contextmanager
def scripted(replies: list[Reply]) -> Iterator["Scripted"]:
    """A client of an HTTP server that answers call after call by a script."""
    called: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            called.append(self.path)
            reply = replies[len(called) - 1]
            if reply is None:
                self.connection.close()
                self.close_connection = True
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        waits: list[float] = []
        with Client(f"http://127.0.0.1:{server.server_port}", sleep=waits.append) as client:
            yield Scripted(client, called, waits)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ok() -> Reply:
    return 200, {}, NEXT


def test_what_the_server_says_to_wait_is_waited_and_a_little_more() -> None:
    with scripted([(429, {"Retry-After": "3"}, FULL), (503, {"Retry-After": "7"}, DRAINING), ok()]) as script:
        assert script.client.next("a", model="m").model == "m"
    assert len(script.called) == 3
    assert 3 <= script.waits[0] <= 3.75
    assert 7 <= script.waits[1] <= 8.75


def test_without_advice_it_waits_twice_as_long_each_time_and_gives_up() -> None:
    with scripted([(503, {}, DRAINING)] * 4) as script, pytest.raises(Unavailable) as caught:
        script.client.next("a", model="m")
    assert caught.value.code == "draining"
    assert len(script.called) == 4
    for wait, longest in zip(script.waits, (0.1, 0.2, 0.4), strict=True):
        assert longest / 2 <= wait <= longest


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    with scripted([(429, {"Retry-After": "600"}, FULL)]) as script, pytest.raises(QueueFull) as caught:
        script.client.next("a", model="m")
    assert caught.value.retry_after_seconds == 600
    assert script.waits == []


def test_a_call_that_changes_nothing_is_retried_when_its_answer_was_lost() -> None:
    with scripted([None, ok()]) as script:
        script.client.next("a", model="m")
    assert len(script.called) == 2


def test_a_call_that_could_be_done_twice_is_retried_only_if_it_was_refused() -> None:
    with scripted([(429, {}, FULL), None]) as script, pytest.raises(OutcomeUnknown) as caught:
        script.client.complete("a", model="m", session_id="s")
    assert isinstance(caught.value.__cause__, Unavailable)
    assert caught.value.__cause__.code == CONNECTION_LOST
    assert len(script.called) == 2


UNKNOWN = b'{"error":{"message":"?","type":"server_error","param":null,"code":"outcome_unknown"}}'


def test_an_outcome_that_the_server_does_not_know_is_retried_by_the_revision_alone() -> None:
    headers = {"X-Session-Revision": "8", "X-Should-Retry": "false"}
    with scripted([(500, headers, UNKNOWN)] * 5) as script:
        with pytest.raises(OutcomeUnknown) as caught:
            script.client.complete("a", model="m", session_id="s")
        assert (caught.value.revision, len(script.called)) == (8, 1)
        with pytest.raises(OutcomeUnknown) as caught:
            script.client.complete("a", model="m", session_id="s", if_revision=7)
        assert (caught.value.revision, len(script.called)) == (8, 5)


@pytest.mark.parametrize("status", [503, 502, 504])
def test_the_word_of_a_proxy_does_not_say_that_nothing_was_done(status: int) -> None:
    with scripted([(status, {}, b"<html>")] * 2) as script, pytest.raises(OutcomeUnknown):
        script.client.complete("a", model="m", session_id="s")
    assert len(script.called) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, b"<html>", "http_error"),
        (400, b"[]", "http_error"),
        (404, b'{"error": "no such"}', "http_error"),
        (502, b'{"error": {"code": 5}}', "http_error"),
        (200, b"{}", "server_error"),
    ],
)
def test_an_answer_of_another_server_is_an_error_and_is_not_retried(
    status: int, body: bytes, code: str
) -> None:
    with scripted([(status, {}, body)]) as script, pytest.raises(NextcharError) as caught:
        script.client.next("a", model="m")
    assert caught.value.code == code
    assert len(script.called) == 1


@pytest.mark.parametrize(("body", "code"), [(CUT, "deadline_exceeded"), (b": ping\n\n", CONNECTION_LOST)])
def test_a_stream_that_ends_without_its_end_is_an_error(body: bytes, code: str) -> None:
    with scripted([(200, {}, body)] * 4) as script, pytest.raises(NextcharError) as caught:
        list(script.client.stream("a", model="m"))
    assert caught.value.code == code


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there_is_unreachable(scheme: str) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def run() -> None:
        async with AsyncClient(f"{scheme}://127.0.0.1:9", sleep=sleep) as client:
            await client.next("a", model="m")

    with pytest.raises(Unavailable) as caught:
        asyncio.run(run())
    assert caught.value.code in (UNREACHABLE, CONNECTION_LOST)
    assert len(waits) == 3


class _Scripted(nextchar_pb2_grpc.NextcharServicer):
    """Refuses, then answers."""

    def __init__(self, refuse: Callable[[Any], None]) -> None:
        self._refuse, self.num_calls = refuse, 0
        self.metadata: dict[str, str] = {}

    def Next(self, _message: pb.NextRequest, context: Any) -> pb.NextResponse:  # noqa: N802
        self.num_calls += 1
        self.metadata = dict(context.invocation_metadata())
        if self.num_calls == 1:
            self._refuse(context)
        return pb.NextResponse(model="m", model_version="1", usage=pb.Usage(prompt_tokens=1))


@contextmanager
def grpc_scripted(refuse: Callable[[Any], None]) -> Iterator[tuple[str, _Scripted]]:
    servicer = _Scripted(refuse)
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        nextchar_pb2_grpc.add_NextcharServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"grpc://127.0.0.1:{port}", servicer
        server.stop(None).wait()


def full(context: Any) -> None:
    status = status_pb2.Status(code=8, message="full")
    for detail in (
        error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="nextchar"),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=2)),
    ):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")


def test_grpc_says_how_long_to_wait_and_the_key_is_sent() -> None:
    waits: list[float] = []
    with grpc_scripted(full) as (url, servicer), Client(url, api_key="secret", sleep=waits.append) as client:
        assert client.next("a", model="m").model == "m"
    assert servicer.metadata["authorization"] == "Bearer secret"
    assert 2 <= waits[0] <= 2.5
    assert "secret" not in repr(client.__dict__)


def unknown(context: Any) -> None:
    reason, metadata = "OUTCOME_UNKNOWN", {"code": "outcome_unknown", "revision": "8"}
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="nextchar", metadata=metadata))
    status = status_pb2.Status(code=2, message="?", details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, "?")


def test_grpc_says_which_revision_a_change_of_unknown_outcome_has() -> None:
    once = Retries(max_attempts=1)
    with (
        grpc_scripted(unknown) as (url, _),
        Client(url, retries=once) as client,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        client.next("a", model="m")
    assert caught.value.revision == 8


def test_a_call_that_exceeded_its_deadline_is_not_retried() -> None:
    def late(context: Any) -> None:
        context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "late")

    with grpc_scripted(late) as (url, servicer), Client(url) as client, pytest.raises(DeadlineExceeded):
        client.next("a", model="m")
    assert servicer.num_calls == 1


def test_only_calls_that_were_refused_or_lost_are_retried() -> None:
    retries = Retries()
    kinds = {
        code: error_from_wire(code, "", param=None, retry_after_seconds=None, status=status)
        for code, status in (("invalid_value", 400), ("server_error", 500), ("session_busy", 409))
    }
    for error in kinds.values():
        assert retries.wait_seconds(error, attempt=1, repeatable=True) is None
    unknown = error_from_wire("new_code", "", param=None, retry_after_seconds=None, status=503)
    assert isinstance(unknown, Unavailable)
    assert retries.wait_seconds(unknown, attempt=1, repeatable=False) is not None
    assert retries.wait_seconds(unknown, attempt=4, repeatable=True) is None
