"""Defines the Python client, for REST and gRPC.

    async with AsyncClient("http://127.0.0.1:8000") as client:
        scores = await client.score(["hello", "htktt"], model="shakespeare")
        async with await client.session(model="shakespeare", prime="ROMEO:") as session:
            completion = await session.sample(max_tokens=40)

Answers are the models of `nextchar.schemas`: the fields of the JSON. Errors are raised as those of
`nextchar.errors`, with the server's code and field. A server that cannot be reached raises `Unavailable` with
the code `unreachable`, or `connection_lost` if it may have seen the call. A change of a session that may have
been done raises `OutcomeUnknown`. Importing this module imports neither onnxruntime nor the server.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Unpack

from nextchar.client import operations
from nextchar.client.arguments import (
    CallArguments,
    CompareArguments,
    CompletionArguments,
    CreateSessionArguments,
    InspectArguments,
    JudgeArguments,
    NextArguments,
    PromptInput,
    ScoreArguments,
    TokenizeArguments,
)
from nextchar.client.asynchronous.session import AsyncSession, create
from nextchar.client.attempts import Attempts
from nextchar.client.endpoint import Endpoint, File
from nextchar.client.operations import A, C, Operation
from nextchar.client.parts import L, SentStrings, shift_indices
from nextchar.client.retries import Retries
from nextchar.client.session_operations import SessionOperations
from nextchar.errors import NextcharError
from nextchar.schemas.compare import CompareResponse
from nextchar.schemas.completion import Completion
from nextchar.schemas.inspect import InspectResponse
from nextchar.schemas.judging import JudgeInfo, JudgeList, JudgeResponse
from nextchar.schemas.limits_report import LimitsResponse
from nextchar.schemas.models import ModelInfo, ModelList
from nextchar.schemas.score import NextResponse, Score, ScoreResponse
from nextchar.schemas.sessions import SessionList
from nextchar.schemas.tokens import DetokenizeResponse, TokenizeResponse, TokenizerInfo

if TYPE_CHECKING:
    from nextchar.client.asynchronous.grpc_transport import AsyncGrpcTransport
    from nextchar.client.asynchronous.rest_transport import AsyncRestTransport

_TIMEOUT_SECONDS = 60.0


class AsyncClient(AbstractAsyncContextManager["AsyncClient"]):
    """A client for programs that run an event loop; each client belongs to one loop."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: File | None = None,
        certificate: tuple[File, File] | None = None,
        timeout_seconds: float = _TIMEOUT_SECONDS,
        retries: Retries = Retries(),  # noqa: B008 it is frozen
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._retries, self._sleep = retries, sleep
        endpoint = Endpoint(url, api_key, ca_file, certificate)
        self._grpc, self._transport = _open_transport(endpoint, timeout_seconds)

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections to the server."""
        await self._transport.close()

    async def score(
        self, strings: list[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> ScoreResponse:
        """Returns the log-probability of each string."""
        return await self.execute(operations.score(strings, model, arguments))

    async def score_stream(
        self, strings: Iterable[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> AsyncGenerator[Score]:
        """Scores any number of strings; yields each score in order, takes strings as answers arrive."""
        async with aclosing(self.score_batches(strings, model=model, **arguments)) as answers:
            async for answer in answers:
                for item in answer.data:
                    yield item

    async def score_batches(
        self, strings: Iterable[str], *, model: str | None = None, **arguments: Unpack[ScoreArguments]
    ) -> AsyncGenerator[ScoreResponse]:
        """Scores any number of strings; yields the answers to the messages that hold them.

        Over gRPC they are messages of one ScoreStream, over REST calls one after the other. An error of one
        string has its number as `param`, as `input.4096`.
        """
        sent = self._sent()
        each = (operations.score(batch, model, arguments) for batch in sent.messages(strings))
        async with aclosing(self._batches(sent, each, "Nextchar/ScoreStream", ScoreResponse)) as answers:
            async for answer in answers:
                yield answer if arguments.get("return_state") else answer.model_copy(update={"state": None})

    async def judge(
        self, strings: list[str], *, judge: str, **arguments: Unpack[JudgeArguments]
    ) -> JudgeResponse:
        """Returns for each string whether a judge flags it, and its p-value."""
        return await self.execute(operations.judge(strings, judge, arguments))

    async def judge_batches(
        self, strings: Iterable[str], *, judge: str, **arguments: Unpack[JudgeArguments]
    ) -> AsyncGenerator[JudgeResponse]:
        """Judges any number of strings; yields the answers as `score_batches` does."""
        sent = self._sent()
        each = (operations.judge(batch, judge, arguments) for batch in sent.messages(strings))
        async with aclosing(self._batches(sent, each, "Nextchar/JudgeStream", JudgeResponse)) as answers:
            async for answer in answers:
                yield answer if arguments.get("return_state") else answer.model_copy(update={"state": None})

    def _sent(self) -> SentStrings:
        """Returns what cuts any number of strings into messages."""
        return SentStrings()

    async def _batches(
        self, sent: SentStrings, each: Iterable[Operation[L]], rpc: str, answer_type: type[L]
    ) -> AsyncGenerator[L]:
        """Makes the calls that `sent` cuts strings into: by one stream over gRPC, one by one over REST."""
        try:
            if self._grpc is not None:
                async with aclosing(self._grpc.score_stream(each, rpc, answer_type)) as answers:
                    async for answer in answers:
                        sent.answered()
                        yield answer
                return
            before: L | None = None
            for operation in each:
                before = await self.execute(operations.continued(operation, before))
                answer = shift_indices(before, sent.num_answered)
                sent.answered()
                yield answer
        except NextcharError as error:
            raise sent.located(error)  # noqa: B904 it is the same

    async def compare(
        self, strings: list[str], *, model: str | None = None, **arguments: Unpack[CompareArguments]
    ) -> CompareResponse:
        """Ranks candidates by likelihood, or by the likelihood ratio to a reference_model."""
        return await self.execute(operations.compare(strings, model, arguments))

    async def next(
        self, text: str = "", *, model: str | None = None, **arguments: Unpack[NextArguments]
    ) -> NextResponse:
        """Returns the distribution of the character after a text."""
        return await self.execute(operations.next_(text, model, arguments))

    async def complete(
        self, prompt: PromptInput = "", *, model: str | None = None, **arguments: Unpack[CompletionArguments]
    ) -> Completion:
        """Samples completions of a prompt, or of several."""
        return await self.execute(operations.complete(prompt, model, arguments, stream=False))

    def stream(
        self, prompt: PromptInput = "", *, model: str | None = None, **arguments: Unpack[CompletionArguments]
    ) -> AsyncGenerator[Completion]:
        """Samples completions and yields them as they are sampled; closing the generator ends the call."""
        return self.execute_stream(operations.complete(prompt, model, arguments, stream=True))

    async def inspect(
        self, text: str, *, model: str | None = None, **arguments: Unpack[InspectArguments]
    ) -> InspectResponse:
        """Returns the model's states after each character of a text."""
        return await self.execute(operations.inspect(text, model, arguments))

    async def tokenize(
        self, text: str, *, model: str | None = None, **arguments: Unpack[TokenizeArguments]
    ) -> TokenizeResponse:
        """Returns the ids of a text's characters."""
        return await self.execute(operations.tokenize(text, model, arguments))

    async def detokenize(
        self, ids: list[int], *, model: str | None = None, **arguments: Unpack[CallArguments]
    ) -> DetokenizeResponse:
        """Returns the text of ids."""
        return await self.execute(operations.detokenize(ids, model, arguments))

    async def tokenizer_info(self, *, model: str | None = None) -> TokenizerInfo:
        """Returns a model's symbols and special symbols."""
        return await self.execute(operations.tokenizer_info(model))

    async def limits(self) -> LimitsResponse:
        """Returns the server's limits for one request, one owner and each model."""
        return await self.execute(operations.limits())

    async def list_models(self) -> ModelList:
        """Returns the served models; only over REST."""
        return await self.execute(operations.list_models())

    async def get_model(self, model: str) -> ModelInfo:
        """Returns one model and its card; only over REST."""
        return await self.execute(operations.get_model(model))

    async def list_judges(self) -> JudgeList:
        """Returns the judges, and whether they can be asked; only over REST."""
        return await self.execute(operations.list_judges())

    async def get_judge(self, judge: str) -> JudgeInfo:
        """Returns one judge and its card; only over REST."""
        return await self.execute(operations.get_judge(judge))

    async def session(
        self, *, model: str | None = None, keep: bool = False, **arguments: Unpack[CreateSessionArguments]
    ) -> AsyncSession:
        """Creates a session; as a context manager it is deleted at the end, unless `keep` is set."""
        operation = operations.create_session(model, arguments)
        opened = await create(self, operation, is_own_id="session_id" not in arguments)
        return AsyncSession(self, opened, keep=keep)

    async def open_session(self, session_id: str, *, keep: bool = True) -> AsyncSession:
        """Opens a session that exists."""
        return AsyncSession(self, await self.execute(SessionOperations(session_id).get()), keep=keep)

    async def list_sessions(self, *, after: str = "", limit: int = 100) -> SessionList:
        """Returns a page of the principal's sessions, by id."""
        return await self.execute(operations.list_sessions(after, limit))

    async def execute(self, operation: Operation[A]) -> A:
        """Makes one call, with its retries."""
        attempts = Attempts(operation, self._retries)
        while True:
            try:
                return await self._transport.execute(operation)
            except NextcharError as error:
                await self._sleep(attempts.wait_seconds(error))

    async def execute_stream(self, operation: Operation[C]) -> AsyncGenerator[C]:
        """Makes one call and yields the parts of its answer, with retries until the first part."""
        attempts, has_begun = Attempts(operation, self._retries), False
        while True:
            try:
                async with aclosing(self._transport.execute_stream(operation)) as parts:
                    async for part in parts:
                        has_begun = True
                        yield part
                return
            except NextcharError as error:
                if has_begun:
                    raise attempts.failure(error)  # noqa: B904 it has its cause
                await self._sleep(attempts.wait_seconds(error))


def _open_transport(
    endpoint: Endpoint, timeout_seconds: float
) -> "tuple[AsyncGrpcTransport | None, AsyncGrpcTransport | AsyncRestTransport]":
    """Imports what the endpoint's protocol needs, and nothing that only the other one needs."""
    if endpoint.is_grpc:
        from nextchar.client.asynchronous.grpc_transport import AsyncGrpcTransport

        transport = AsyncGrpcTransport(endpoint, timeout_seconds)
        return transport, transport
    from nextchar.client.asynchronous.rest_transport import AsyncRestTransport

    return None, AsyncRestTransport(endpoint, timeout_seconds)
