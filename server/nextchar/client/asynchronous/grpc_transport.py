"""Carries a client's calls over gRPC."""

from asyncio import Semaphore
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from nextchar.client.endpoint import Endpoint
from nextchar.client.grpc_messages import (
    CHANNEL_OPTIONS,
    WriteRefused,
    answers_in_parts,
    call_options,
    cancelled_at_the_end,
    channel_credentials,
    grpc_errors,
    method,
    request_message,
    rpc_of,
)
from nextchar.client.operations import A, C, Operation
from nextchar.client.parts import L, join_completion, named_string, shift_indices
from nextchar.errors import InputTooLarge
from nextchar.schemas.protobuf import to_answer

_MAX_UNANSWERED = 8  # messages of a stream of scores


class AsyncGrpcTransport:
    """Sends operations over one channel."""

    def __init__(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        self._endpoint, self._timeout_seconds = endpoint, timeout_seconds
        self._channel = (
            grpc.aio.secure_channel(endpoint.target, channel_credentials(endpoint), CHANNEL_OPTIONS)
            if endpoint.is_secure
            else grpc.aio.insecure_channel(endpoint.target, CHANNEL_OPTIONS)
        )

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()

    async def execute(self, operation: Operation[A]) -> A:
        """Makes one call and returns its answer."""
        if answers_in_parts(rpc_of(operation)):
            answer: A = await self._execute_whole(operation)
            return answer
        call = self._channel.unary_unary(*method(rpc_of(operation)))
        options = call_options(operation, self._endpoint, self._timeout_seconds)
        with grpc_errors():
            message = await call(request_message(operation), **options)
        return to_answer(message, operation.answer_type, operation.fields)

    async def _execute_whole(self, operation: Operation[Any]) -> Any:
        """Makes one call of a completion, which gRPC answers in parts."""
        return join_completion([part async for part in self.execute_stream(operation)])

    async def execute_stream(self, operation: Operation[C]) -> AsyncGenerator[C]:
        """Makes one call and yields the parts of its answer; closing the generator ends the call."""
        call = self._channel.unary_stream(*method(rpc_of(operation)))
        options = call_options(operation, self._endpoint, self._timeout_seconds)
        messages = call(request_message(operation), **options)
        with grpc_errors(), cancelled_at_the_end(messages):
            async for message in messages:
                yield to_answer(message, operation.answer_type, operation.fields)

    async def score_stream(
        self, operations: Iterable[Operation[L]], rpc: str, answer_type: type[L]
    ) -> AsyncGenerator[L]:
        """Scores, or judges, by one stream; yields an answer to each operation, whose indices count on.

        An operation is taken when there is room for it; all of them have the fields of the first.
        """
        requests = _Requests(operations)
        call = self._channel.stream_stream(*method(rpc))
        answers = call(requests.messages(), metadata=tuple(self._endpoint.headers.items()))
        try:
            with grpc_errors(), cancelled_at_the_end(answers):
                async for message in answers:
                    requests.answered()
                    yield to_answer(message, answer_type, requests.fields)
        except (WriteRefused, InputTooLarge) as error:
            requests.end()
            if named_string(error) is None:
                # gRPC has lost the reason, or refused a message by its size before those ahead were answered:
                # sent by itself, the message at fault raises it.
                for operation in tuple(requests.unanswered):
                    yield shift_indices(await self.execute(operation), requests.num_scored)
                    requests.answered()
            raise
        finally:
            requests.end()
        if requests.error is not None:
            raise requests.error


class _Requests:
    """The messages of a stream of scores, of which a bounded number wait for their answers.

    The second one waits for the answer to the first: what is wrong with a request is mostly wrong with all of
    its messages, and a stream that is still written to when the server refuses it may lose the reason.
    """

    def __init__(self, operations: Iterable[Operation[Any]]) -> None:
        self.fields: Mapping[str, Any] = {}  # of the first operation
        self.error: BaseException | None = None  # what taking an operation raised: gRPC does not pass it on
        self.unanswered: deque[Operation[Any]] = deque()
        self._operations = iter(operations)
        self._room, self._has_ended, self._num_answered = Semaphore(1), False, 0
        self.num_scored = 0  # strings of the messages that were answered

    async def messages(self) -> AsyncGenerator[Message]:
        while (taken := self._take()) is not None:
            await self._room.acquire()
            if self._has_ended:
                return
            operation, message = taken
            self.unanswered.append(operation)
            yield message

    def _take(self) -> tuple[Operation[Any], Message] | None:
        """Takes the next operation, with its message; notes what that raises, whatever it is."""
        try:
            operation = next(self._operations, None)
            if operation is None:
                return None
            is_first = not self.fields
            self.fields = self.fields or operation.fields
            return operation, request_message(operation, only=() if is_first else ("input",))
        except BaseException as error:  # noqa: BLE001 it is raised where the answers end
            self.error = error
            return None

    def answered(self) -> None:
        self.num_scored += len(self.unanswered.popleft().fields["input"])
        self._num_answered += 1
        for _ in range(_MAX_UNANSWERED if self._num_answered == 1 else 1):
            self._room.release()

    def end(self) -> None:
        """Ends the messages, also where the next one is being waited for."""
        self._has_ended = True
        self._room.release()
