"""The gRPC door: translates nextchar.v1 to calls of the service, and nothing else."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import grpc

from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.score_stream import ScoreStream
from nextchar.rpc.tokens_servicer import TokensServicer
from nextchar.schemas.base import validated
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.protobuf import to_fields, to_message
from nextchar.schemas.score import NextRequest, ScoreRequest


class NextcharServicer(TokensServicer):
    """The handlers of service nextchar.v1.Nextchar."""

    async def Score(self, message: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        return await self._calls.answer(
            message, context, "score", ScoreRequest, self._service.scorer.score, pb.ScoreResponse
        )

    async def Compare(
        self, message: pb.CompareRequest, context: grpc.aio.ServicerContext
    ) -> pb.CompareResponse:
        return await self._calls.answer(
            message, context, "compare", CompareRequest, self._service.comparer.compare, pb.CompareResponse
        )

    async def ScoreStream(
        self, messages: AsyncIterator[pb.ScoreRequest], context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.ScoreResponse]:
        stream = ScoreStream(self._service.scorer.score, self._calls, self._service.metrics, context)
        async with aclosing(stream.answers(messages)) as answers:
            async for answer in answers:
                yield answer

    async def Next(self, message: pb.NextRequest, context: grpc.aio.ServicerContext) -> pb.NextResponse:
        return await self._calls.answer(
            message, context, "next", NextRequest, self._service.predictor.next, pb.NextResponse
        )

    async def Inspect(
        self, message: pb.InspectRequest, context: grpc.aio.ServicerContext
    ) -> pb.InspectResponse:
        return await self._calls.answer(
            message, context, "inspect", InspectRequest, self._service.inspector.inspect, pb.InspectResponse
        )

    async def Complete(
        self, message: pb.CompletionRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.Completion]:
        async with self._calls.observed(context, "complete") as ctx:
            body = validated(lambda: CompletionRequest.model_validate(to_fields(message)))
            if body.is_whole:
                yield to_message(await self._service.completer.complete(body, ctx), pb.Completion)
                return
            body = body.model_copy(update={"stream": True})
            async with aclosing(self._service.completer.stream(body, ctx)) as pieces:
                async for piece in pieces:
                    yield to_message(piece, pb.Completion)
