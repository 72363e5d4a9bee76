"""A client's calls over gRPC, blocking and not."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from nextchar.client.endpoint import Endpoint
from nextchar.client.errors_and_retries import CONNECTION_LOST, error_from_wire
from nextchar.client.operations import A, C, Operation
from nextchar.client.protobuf_mapping import make_message, method_of, read_answer
from nextchar.client.streams import joined
from nextchar.errors import DeadlineExceeded, NextcharError
from nextchar.schemas.completion import Completion
from nextchar.schemas.score import ScoreResponse

MAX_UNANSWERED = 8  # messages of a stream of scores
# As REST would say, for codes that this client does not know.
_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
_SCORE_STREAM = "Nextchar/ScoreStream"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0))


class RpcBlocking:
    """Calls over one channel."""

    def __init__(self, place: Endpoint, timeout_seconds: float) -> None:
        self._metadata, self._timeout_seconds = tuple(place.headers.items()), timeout_seconds
        self._channel = (
            grpc.secure_channel(place.target, _credentials(place), _OPTIONS)
            if place.is_secure
            else grpc.insecure_channel(place.target, _OPTIONS)
        )

    def close(self) -> None:
        self._channel.close()

    def call(self, ask: Operation[A]) -> A:
        if method_of(ask.rpc).server_streaming:
            return _whole(ask, list(self.stream(_completion(ask))))
        method = self._channel.unary_unary(*_method(ask.rpc))
        with _failing():
            message = method(
                make_message(ask), timeout=self._timeout_seconds, metadata=self._metadata + _of(ask)
            )
        return read_answer(message, ask)

    def stream(self, ask: Operation[C]) -> Generator[C]:
        method = self._channel.unary_stream(*_method(ask.rpc))
        pieces = method(make_message(ask), timeout=self._timeout_seconds, metadata=self._metadata + _of(ask))
        with _failing(), _cancelled_early(pieces):
            for message in pieces:
                yield read_answer(message, ask)

    def score_stream(self, asks: Iterable[Operation[ScoreResponse]]) -> Generator[ScoreResponse]:
        """An answer for each, in order; the indices count on. Asks are taken as answers come."""
        room, ended, last = (
            threading.Semaphore(MAX_UNANSWERED),
            threading.Event(),
            list[Operation[ScoreResponse]](),
        )

        def messages() -> Iterator[Message]:
            for number, ask in enumerate(asks):
                room.acquire()
                if ended.is_set():
                    return
                last[:] = [ask]
                yield _streamed_message(ask, first=number == 0)

        method = self._channel.stream_stream(*_method(_SCORE_STREAM))
        answers = method(messages(), metadata=self._metadata)
        try:
            with _failing(), _cancelled_early(answers):
                for message in answers:
                    room.release()
                    yield read_answer(message, last[0])
        finally:
            ended.set()
            room.release()


class RpcAsync:
    """The same without blocking."""

    def __init__(self, place: Endpoint, timeout_seconds: float) -> None:
        self._metadata, self._timeout_seconds = tuple(place.headers.items()), timeout_seconds
        self._channel = (
            grpc.aio.secure_channel(place.target, _credentials(place), _OPTIONS)
            if place.is_secure
            else grpc.aio.insecure_channel(place.target, _OPTIONS)
        )

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, ask: Operation[A]) -> A:
        if method_of(ask.rpc).server_streaming:
            return _whole(ask, [piece async for piece in self.stream(_completion(ask))])
        method = self._channel.unary_unary(*_method(ask.rpc))
        with _failing():
            message = await method(
                make_message(ask), timeout=self._timeout_seconds, metadata=self._metadata + _of(ask)
            )
        return read_answer(message, ask)

    async def stream(self, ask: Operation[C]) -> AsyncGenerator[C]:
        method = self._channel.unary_stream(*_method(ask.rpc))
        pieces = method(make_message(ask), timeout=self._timeout_seconds, metadata=self._metadata + _of(ask))
        with _failing(), _cancelled_early(pieces):
            async for message in pieces:
                yield read_answer(message, ask)

    async def score_stream(self, asks: Iterable[Operation[ScoreResponse]]) -> AsyncGenerator[ScoreResponse]:
        """An answer for each, in order; the indices count on. Asks are taken as answers come."""
        room, last = asyncio.Semaphore(MAX_UNANSWERED), list[Operation[ScoreResponse]]()

        async def messages() -> AsyncGenerator[Message]:
            first = True
            for ask in asks:
                await room.acquire()
                last[:] = [ask]
                yield _streamed_message(ask, first=first)
                first = False

        method = self._channel.stream_stream(*_method(_SCORE_STREAM))
        async with aclosing(messages()) as asked:
            answers = method(asked, metadata=self._metadata)
            with _failing(), _cancelled_early(answers):
                async for message in answers:
                    room.release()
                    yield read_answer(message, last[0])


def _completion(ask: Operation[Any]) -> Operation[Completion]:
    """A call whose answer comes in pieces in gRPC."""
    return ask


def _whole(ask: Operation[A], pieces: list[Completion]) -> A:
    answer = joined(pieces)
    assert isinstance(answer, ask.answer)
    return answer


def _streamed_message(ask: Operation[ScoreResponse], *, first: bool) -> Message:
    """Of the first message all fields count, of the others the strings."""
    message = make_message(ask)
    if not first:
        for field, _ in message.ListFields():
            if field.name != "input":
                message.ClearField(field.name)
    return message


def _credentials(place: Endpoint) -> grpc.ChannelCredentials:
    roots = None if place.ca_file is None else place.ca_file.read_bytes()
    chain, key = (None, None) if place.certificate is None else [p.read_bytes() for p in place.certificate]
    return grpc.ssl_channel_credentials(roots, key, chain)


def _method(rpc: str) -> tuple[str, Any, Any]:
    """A method's path, how its messages are written, and how its answers are read."""
    method = method_of(rpc)
    sent, got = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    return f"/{method.containing_service.full_name}/{method.name}", sent.SerializeToString, got.FromString


def _of(ask: Operation[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in ask.headers.items())


@contextmanager
def _cancelled_early(call: Any) -> Generator[None]:
    """A stream that is left before its end ends over there too."""
    try:
        yield
    finally:
        call.cancel()


@contextmanager
def _failing() -> Generator[None]:
    """What gRPC raises, as our errors."""
    try:
        yield
    except grpc.RpcError as error:
        raise _error(error) from error


def _error(error: Any) -> NextcharError:
    metadata = dict(error.trailing_metadata() or ())
    message = error.details() or str(error.code())
    raw = metadata.get("grpc-status-details-bin")
    if raw is None:
        return _plain_error(error.code(), message)
    info, field = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    wait, has_wait = error_details_pb2.RetryInfo(), False
    for packed in status_pb2.Status.FromString(raw).details:
        packed.Unpack(info)
        packed.Unpack(field)
        has_wait |= packed.Unpack(wait)
    return error_from_wire(
        info.reason.lower() or "server_error",
        message,
        param=field.field_violations[0].field if field.field_violations else None,
        retry_after_seconds=wait.retry_delay.ToTimedelta().total_seconds() if has_wait else None,
        status=_STATUSES.get(error.code(), 500),
    )


def _plain_error(code: grpc.StatusCode, message: str) -> NextcharError:
    """A status that is gRPC's own."""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded("the server did not answer in time")
    if code is grpc.StatusCode.UNAVAILABLE:
        # Whether the server saw the call cannot be told.
        return error_from_wire(CONNECTION_LOST, message, param=None, retry_after_seconds=None)
    name = "input_too_large" if code is grpc.StatusCode.RESOURCE_EXHAUSTED else code.name.lower()
    return error_from_wire(name, message, param=None, retry_after_seconds=None)
