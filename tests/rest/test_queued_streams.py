"""A stream that waits for its turn has a head and comments; what refuses it at once is a status as ever."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.engine_lanes import Gate
from support.event_stream import EventReader
from support.live_server import LiveServer, live_server
from support.waiting import until

from nextchar.client.rest_messages import EventReader as ClientReader
from nextchar.errors import QueueFull
from nextchar.rest.sse import BegunStream, EventStream
from nextchar.schemas.completion import Completion

_COMPLETE, _SAMPLE = "/v1/completions", "/v1/sessions/waits/sample"
_CONTINUE, _GENERATE = "/v1/completions#session", "/v2/models/tiny/generate_stream"
_PATHS = [_COMPLETE, _SAMPLE, _CONTINUE, _GENERATE]
_PING_SECONDS = 0.02


@pytest.fixture
def gated(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LiveServer, Gate]]:
    """A server with a session, whose engine stops before each call, and whose streams comment often."""
    monkeypatch.setitem(EventStream.__init__.__kwdefaults__, "ping_seconds", _PING_SECONDS)
    with live_server(models) as server:
        assert server.post("/v1/sessions", {"model": "tiny", "session_id": "waits", "prime": "he"}).is_success
        gate = Gate(monkeypatch)
        try:
            yield server, gate
        finally:
            gate.open()


def asked(path: str, **fields: Any) -> dict[str, Any]:
    if path == _GENERATE:
        timeout = fields.pop("timeout", None)
        options = {} if timeout is None else {"timeout": timeout}
        return {"text_input": "he", "parameters": {"max_tokens": 4, **fields, **options}}
    own = {} if path == _SAMPLE else {"model": "tiny"}
    own |= {"session_id": "waits"} if path == _CONTINUE else {}
    return {**own, "max_tokens": 4, "stream": True, **fields}


@contextmanager
def stream(server: LiveServer, path: str, **fields: Any) -> Iterator[httpx.Response]:
    with server.stream(path.partition("#")[0], asked(path, **fields)) as answer:
        yield answer


def read_until(chunks: Iterator[bytes], reader: EventReader, enough: Callable[[], bool]) -> None:
    for chunk in chunks:
        reader.feed(chunk)
        if enough():
            return
    raise AssertionError("the stream has ended")


@pytest.mark.parametrize("path", _PATHS)
def test_the_head_and_comments_come_while_a_stream_waits(gated: tuple[LiveServer, Gate], path: str) -> None:
    server, gate = gated
    with stream(server, path) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-model-version"] == "1"
        reader, chunks = EventReader(), answer.iter_raw()
        read_until(chunks, reader, lambda: len(reader.comments) >= 3)
        assert reader.events == []
        gate.open()
        read_until(chunks, reader, lambda: len(reader.events) > 0)
        for chunk in chunks:
            reader.feed(chunk)
        reader.close()
    assert "error" not in reader.events[-1]


@pytest.mark.parametrize("path", _PATHS)
def test_a_refusal_while_it_waits_is_an_event(gated: tuple[LiveServer, Gate], path: str) -> None:
    server, gate = gated
    timeout = 1.0  # longer than any stall before its head
    ends = time.monotonic() + timeout
    with stream(server, path, timeout=timeout) as answer:
        assert answer.status_code == 200
        until(lambda: time.monotonic() > ends + 0.1)
        gate.open()
        reader = EventReader()
        for chunk in answer.iter_raw():
            reader.feed(chunk)
        reader.close()
    error = json.loads(reader.events[-1])["error"]
    assert len(reader.events) == 1
    if path == _GENERATE:
        assert isinstance(error, str)
    else:
        assert (error["code"], error["type"]) == ("deadline_exceeded", "timeout_error")
    assert server.metric("nextchar_requests_total", outcome="timeout", protocol="rest") == 1


@pytest.mark.parametrize("path", _PATHS)
def test_an_engine_that_fails_while_it_waits_is_an_event(gated: tuple[LiveServer, Gate], path: str) -> None:
    server, gate = gated
    with stream(server, path) as answer:
        assert answer.status_code == 200
        gate.failure = RuntimeError("secret cause")
        gate.open()
        text = answer.read().decode()
    assert '{"error": ' in text
    assert "secret" not in text
    assert "[DONE]" not in text


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (_COMPLETE, {"model": "none"}, 404),
        (_COMPLETE, {"max_tokens": -1}, 400),
        (_COMPLETE, {"regex": "("}, 400),
        (_COMPLETE, {"prompt": "a" * 2_000_000}, 413),
        (_CONTINUE, {"session_id": "none"}, 404),
        (_CONTINUE, {"if_revision": 9}, 409),
        (_SAMPLE, {"if_revision": 9}, 409),
        (_SAMPLE, {"regex": "(?="}, 400),
        (_SAMPLE, {"logit_bias": {"999": 1}}, 400),
        (_GENERATE, {"regex": "("}, 422),
    ],
)
def test_what_is_refused_at_once_has_its_status(
    gated: tuple[LiveServer, Gate], path: str, fields: dict[str, Any], status: int
) -> None:
    with stream(gated[0], path, **fields) as answer:
        assert answer.status_code == status, answer.read()
        assert answer.headers["content-type"] == "application/json"
        assert "error" in json.loads(answer.read())


def test_a_queue_that_is_full_has_its_status(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with live_server(models, max_waiting=1, engine_threads=1) as server, ExitStack() as stack:
        gate = Gate(monkeypatch)
        stack.callback(gate.open)
        running = stack.enter_context(stream(server, _COMPLETE))
        gate.reached()
        queued, refused = (stack.enter_context(stream(server, _COMPLETE)) for _ in range(2))
        assert (running.status_code, queued.status_code, refused.status_code) == (200, 200, 429)
        assert "retry-after" in refused.headers


@pytest.mark.parametrize("path", [_SAMPLE, _CONTINUE])
def test_a_stream_that_waits_for_its_session_has_a_head(gated: tuple[LiveServer, Gate], path: str) -> None:
    server, gate = gated
    with stream(server, _SAMPLE) as first:
        assert first.status_code == 200  # and holds the session
        with stream(server, path, if_revision=1) as second:
            assert second.status_code == 200
            assert second.headers["x-session-id"] == "waits"
            gate.open()
            first.read()
            error = json.loads(second.read().decode().removeprefix("data: "))["error"]
    assert (error["code"], error["param"]) == ("session_moved", "if_revision")


@pytest.mark.parametrize("path", _PATHS)
def test_who_leaves_while_waiting_leaves_nothing(gated: tuple[LiveServer, Gate], path: str) -> None:
    server, gate = gated
    with stream(server, path) as answer:
        assert answer.status_code == 200
    until(lambda: server.metric("nextchar_requests_total", outcome="cancelled", protocol="rest") == 1)
    assert server.metric("nextchar_requests_in_progress", protocol="rest") == 0
    gate.open()
    until(server.is_idle)
    assert server.get("/v1/sessions/waits").json()["revision"] == 1


def test_who_waited_in_vain_is_told_when_to_retry(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 1.0
    with live_server(models, queue_timeout_seconds=longest, engine_threads=1, max_lanes=1) as server:
        gate = Gate(monkeypatch)
        with stream(server, _COMPLETE, max_tokens=2000) as running:
            gate.reached()
            with stream(server, _COMPLETE) as queued:
                since = time.monotonic()
                until(lambda: time.monotonic() > since + longest)
                gate.let()
                text = queued.read().decode()
            gate.open()
            assert running.read().endswith(b"[DONE]\n\n")
        error = json.loads(text.removeprefix("data: "))["error"]
        assert (error["code"], error["type"]) == ("queue_timeout", "rate_limit_error")
        assert error["retry_after_seconds"] > 0
        reader = ClientReader(Completion)
        with pytest.raises(QueueFull) as caught:
            list(reader.read(text.encode()))
        assert caught.value.retry_after_seconds == error["retry_after_seconds"]


class Pieces:
    """A stream whose first piece comes when a test lets it, and that notes when it is closed."""

    def __init__(self) -> None:
        self.may_come, self.closed = asyncio.Event(), False

    async def run(self) -> AsyncGenerator[int]:
        try:
            await self.may_come.wait()
            for number in range(3):
                yield number
        finally:
            self.closed = True


@pytest.mark.parametrize("waits", [True, False])
def test_a_stream_has_all_its_pieces_however_it_began(waits: bool) -> None:
    async def read() -> list[int]:
        pieces, waiting = Pieces(), asyncio.Event()
        stream = BegunStream(pieces.run())
        (waiting if waits else pieces.may_come).set()
        await stream.begin(waiting)
        pieces.may_come.set()
        found = [piece async for piece in stream]
        assert pieces.closed
        return found

    assert asyncio.run(read()) == [0, 1, 2]


@pytest.mark.parametrize("begins", [True, False])
def test_a_stream_that_nobody_reads_is_closed(begins: bool) -> None:
    """Its client has left before its head was sent, or before it waited."""

    async def leave() -> bool:
        before = asyncio.all_tasks()
        pieces, waiting = Pieces(), asyncio.Event()
        stream = BegunStream(pieces.run())
        beginning = asyncio.create_task(stream.begin(waiting))
        await asyncio.sleep(0)
        if begins:
            waiting.set()
            await beginning
            await stream.aclose()
        else:
            beginning.cancel()
            await asyncio.gather(beginning, return_exceptions=True)
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)  # no task is left
        return pieces.closed

    assert asyncio.run(asyncio.wait_for(leave(), 30))
