"""The gRPC calls that tell of a model's symbols and of the server's limits."""

import grpc

from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.request_context import RequestContext
from nextchar.rpc.handler import RpcHandler
from nextchar.schemas.protobuf import to_message
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest
from nextchar.service.service import Service


class TokensServicer(nextchar_pb2_grpc.NextcharServicer):
    """A part of service nextchar.v1.Nextchar."""

    def __init__(self, service: Service, calls: RpcHandler) -> None:
        self._service, self._calls = service, calls

    async def Tokenize(
        self, message: pb.TokenizeRequest, context: grpc.aio.ServicerContext
    ) -> pb.TokenizeResponse:
        work = self._service.tokenizer.tokenize
        return await self._calls.answer(
            message, context, "tokenize", TokenizeRequest, work, pb.TokenizeResponse
        )

    async def Detokenize(
        self, message: pb.DetokenizeRequest, context: grpc.aio.ServicerContext
    ) -> pb.DetokenizeResponse:
        work = self._service.tokenizer.detokenize
        return await self._calls.answer(
            message, context, "tokenize", DetokenizeRequest, work, pb.DetokenizeResponse
        )

    async def TokenizerInfo(
        self, message: pb.TokenizerInfoRequest, context: grpc.aio.ServicerContext
    ) -> pb.TokenizerInfoResponse:
        async def tell(ctx: RequestContext) -> pb.TokenizerInfoResponse:
            model = message.model if message.HasField("model") else None
            return to_message(self._service.tokenizer.info(model, ctx), pb.TokenizerInfoResponse)

        return await self._calls.run(context, "tokenize", tell)

    async def Limits(
        self, _message: pb.LimitsRequest, context: grpc.aio.ServicerContext
    ) -> pb.LimitsResponse:
        async with self._calls.ended_by_errors(context):
            return to_message(self._service.limits_report.limits(), pb.LimitsResponse)
        raise AssertionError("the call was aborted")
