"""Writes completions as server-sent events, as OpenAI's clients read them."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Generic, Protocol, TypeVar

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from nextchar.errors import NextcharError
from nextchar.rest.errors import event_body
from nextchar.rest.http.half_close import SENT_ALL
from nextchar.schemas.completion import Completion
from nextchar.schemas.sampling import StreamOptions

_DONE = b"data: [DONE]\n\n"
_PING = b": still here\n\n"
_PING_SECONDS = 15.0
_STEP_BYTES = 256  # the sizes of obfuscated events are multiples of this
T = TypeVar("T")

logger = logging.getLogger(__name__)


async def events(pieces: AsyncIterator[Completion], *, options: StreamOptions) -> AsyncGenerator[bytes]:
    """Yields the events of a completion. One that fails ends with an error event and without [DONE]."""
    try:
        async for completion in pieces:
            for text in _texts(completion, options):
                yield event(text)
        yield _DONE
    except NextcharError as error:
        yield event(json.dumps(event_body(error)))
    except Exception as error:  # noqa: BLE001 - the status is already sent, so the error must be an event
        yield event(json.dumps(event_body(unexpected(error))))


def _texts(piece: Completion, options: StreamOptions) -> list[str]:
    """Splits a piece as OpenAI does: its usage is an event of its own, if wanted, and null in all others.

    With `continuous_usage_stats`, a field of vLLM, the others have the usage of their choice up to there.
    """
    text = (piece if piece.usage is None else piece.model_copy(update={"usage": None})).model_dump_json()
    if options.include_usage:
        text = _with(text, "usage", _usage_so_far(piece) if options.continuous_usage_stats else "null")
    texts = [_filled_up(text) if options.include_obfuscation else text]
    if options.include_usage and piece.usage is not None:
        texts.append(piece.model_copy(update={"choices": []}).model_dump_json())
    return texts


def _usage_so_far(piece: Completion) -> str:
    (choice,) = piece.choices
    assert choice.usage is not None
    return choice.usage.model_dump_json()


def _filled_up(text: str) -> str:
    """Adds as many random characters as bring the size to the next step."""
    missing = -(len(text.encode()) + len(',"obfuscation":""')) % _STEP_BYTES
    return _with(text, "obfuscation", f'"{secrets.token_urlsafe(missing)[:missing]}"')


def _with(text: str, name: str, value: str) -> str:
    """Adds a field at the end of an object."""
    return f'{text[:-1]},"{name}":{value}}}'


def unexpected(error: Exception) -> NextcharError:
    """Logs an unexpected error, and returns the one that the client is sent."""
    logger.error("a stream failed", exc_info=error)
    return NextcharError("the server failed; the cause is in its log")


def event(text: str) -> bytes:
    """Formats one event."""
    return f"data: {text}\n\n".encode()


class Closes(Protocol):
    """What is closed with a stream."""

    async def aclose(self) -> None: ...


class BegunStream(Generic[T]):
    """Yields the pieces of a stream whose first one may still be waiting for its turn.

    `begin` returns as soon as it waits: by then all has been refused that can be refused at once, and what
    is left is an event.
    """

    def __init__(self, source: AsyncGenerator[T]) -> None:
        self._source = source
        self._first: asyncio.Task[T] | None = asyncio.create_task(_next(source))

    async def begin(self, waits: asyncio.Event) -> None:
        """Returns with the first piece, or once the stream waits; raises what refuses it before that."""
        assert self._first is not None
        waiting = asyncio.create_task(waits.wait())
        try:
            await asyncio.wait({self._first, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if self._first.done():
                self._first.result()
        except BaseException:
            await self.aclose()
            raise
        finally:
            waiting.cancel()

    def __aiter__(self) -> "BegunStream[T]":
        return self

    async def __anext__(self) -> T:
        if self._first is None:
            return await anext(self._source)
        piece = await self._first
        self._first = None
        return piece

    async def aclose(self) -> None:
        """Ends the stream, also while its first piece is waited for."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.gather(self._first, return_exceptions=True)
        await self._source.aclose()


async def _next(source: AsyncGenerator[T]) -> T:
    return await anext(source)


class EventStream(StreamingResponse):
    """Sends events; closes their source at once when the client disconnects, not when it is collected.

    While no event comes for `ping_seconds` it sends a comment, so that no proxy ends the connection, and one
    as soon as the client has sent its last byte: if it has left, the connection ends with that.
    """

    def __init__(
        self,
        source: AsyncGenerator[bytes],
        pieces: Closes,
        *,
        ping_seconds: float = _PING_SECONDS,
    ) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(source, media_type="text/event-stream", headers=headers)
        self._open = (source, pieces)
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pings = _Pings(send, self._ping_seconds, scope.get("extensions", {}).get(SENT_ALL))
        try:
            await super().__call__(scope, receive, pings.send)
        finally:
            pings.stop()
            for generator in self._open:
                await generator.aclose()


class _Pings:
    """Passes the messages of a response on, and sends a comment when there has been none for some time.

    `sent_all` is set when the client has sent its last byte, which a comment asks whether it is still there.
    While a message waits for its client to read, no comment is sent.
    """

    def __init__(self, send: Send, seconds: float, sent_all: asyncio.Event | None) -> None:
        self._send, self._seconds, self._sent_all = send, seconds, sent_all
        self._num_sending = 0
        self._last_sent = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def send(self, message: Message) -> None:
        """Sends a message; starts the comments with the first one, and stops them with the last."""
        loop = asyncio.get_running_loop()
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.stop()
        self._num_sending += 1
        try:
            await self._send(message)
        finally:
            self._num_sending -= 1
            self._last_sent = loop.time()
        if message["type"] == "http.response.start":
            self._tasks = [asyncio.create_task(self._ping_often())]
            if self._sent_all is not None:
                self._tasks.append(asyncio.create_task(self._ping_after(self._sent_all)))

    def stop(self) -> None:
        while self._tasks:
            self._tasks.pop().cancel()

    async def _ping_often(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            wait = self._last_sent + self._seconds - loop.time()
            if wait > 0 or self._num_sending:
                await asyncio.sleep(max(wait, self._seconds if self._num_sending else 0))
            else:
                await self._ping()

    async def _ping_after(self, sent_all: asyncio.Event) -> None:
        await sent_all.wait()
        if not self._num_sending:
            await self._ping()

    async def _ping(self) -> None:
        await self.send({"type": "http.response.body", "body": _PING, "more_body": True})
