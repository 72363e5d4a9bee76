"""The gRPC door of the Open Inference Protocol: inference.GRPCInferenceService."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict

from nextchar.errors import NextcharError
from nextchar.pb import inference_pb2 as pb
from nextchar.pb import inference_pb2_grpc
from nextchar.request_context import RequestContext
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.oip_messages import to_infer_response, to_request
from nextchar.rpc.repository_servicer import RepositoryServicer
from nextchar.rpc.score_stream import ordered_results
from nextchar.schemas.protobuf import M
from nextchar.service.service import Service
from nextchar.telemetry.metrics import Metrics

_SCHEDULING = "x-model-scheduling"
_REAL_STATUS = "triton_grpc_error"
_MAX_AT_WORK = 64  # requests of one stream


class OipServicer(RepositoryServicer, inference_pb2_grpc.GRPCInferenceServiceServicer):
    """The handlers; the repository's are inherited."""

    def __init__(self, service: Service, calls: RpcHandler, metrics: Metrics) -> None:
        super().__init__(service.model_manager, calls)
        self._service, self._metrics = service, metrics
        self._models = service.model_metadata

    async def ServerLive(
        self, _message: pb.ServerLiveRequest, _context: grpc.aio.ServicerContext
    ) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(
        self, _message: pb.ServerReadyRequest, _context: grpc.aio.ServicerContext
    ) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._service.lifecycle.ready)

    async def ModelReady(
        self, message: pb.ModelReadyRequest, _context: grpc.aio.ServicerContext
    ) -> pb.ModelReadyResponse:
        return pb.ModelReadyResponse(ready=self._models.ready(message.name, message.version))

    async def ServerMetadata(
        self, _message: pb.ServerMetadataRequest, _context: grpc.aio.ServicerContext
    ) -> pb.ServerMetadataResponse:
        return _to_message(self._models.server(), pb.ServerMetadataResponse)

    async def ModelMetadata(
        self, message: pb.ModelMetadataRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelMetadataResponse:
        async with self._calls.ended_by_errors(context):
            found = self._models.metadata(message.name, message.version)
        return _to_message(found, pb.ModelMetadataResponse)

    async def ModelConfig(
        self, message: pb.ModelConfigRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelConfigResponse:
        async with self._calls.ended_by_errors(context):
            scheduling = _metadata(context).get(_SCHEDULING, "sequence")
            found = self._models.config(message.name, message.version, scheduling)
        return _to_message({"config": found}, pb.ModelConfigResponse)

    async def ModelStatistics(
        self, message: pb.ModelStatisticsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelStatisticsResponse:
        async with self._calls.ended_by_errors(context):
            found = self._models.statistics(message.name, message.version)
        return _to_message({"model_stats": found}, pb.ModelStatisticsResponse)

    async def ModelInfer(
        self, message: pb.ModelInferRequest, context: grpc.aio.ServicerContext
    ) -> pb.ModelInferResponse:
        async def run(ctx: RequestContext) -> pb.ModelInferResponse:
            return await self._answer(message, ctx)

        return await self._calls.run(context, "infer", run)

    async def ModelStreamInfer(
        self, messages: AsyncIterator[pb.ModelInferRequest], context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.ModelStreamInferResponse]:
        """A response for each request, in order; a wrong one is told of and the stream goes on.

        With metadata `triton_grpc_error: true` it ends the stream with its status instead.
        """
        real_status = _metadata(context).get(_REAL_STATUS, "").lower() == "true"

        async def answer(message: pb.ModelInferRequest) -> pb.ModelStreamInferResponse:
            ctx = self._calls.new_context(context, "infer")
            try:
                with self._metrics.observe(ctx):
                    self._calls.check_fields(message)
                    return pb.ModelStreamInferResponse(infer_response=await self._answer(message, ctx))
            except NextcharError as error:
                if real_status:
                    raise
                empty = pb.ModelInferResponse(model_name=message.model_name, id=message.id)
                return pb.ModelStreamInferResponse(error_message=error.message, infer_response=empty)

        async def works() -> AsyncGenerator[Coroutine[Any, Any, pb.ModelStreamInferResponse]]:
            async for message in messages:
                yield answer(message)

        async with (
            self._calls.ended_by_errors(context),
            aclosing(ordered_results(works(), _MAX_AT_WORK)) as responses,
        ):
            async for response in responses:
                yield response

    async def _answer(self, message: pb.ModelInferRequest, ctx: RequestContext) -> pb.ModelInferResponse:
        started = time.monotonic()
        request = to_request(message, lenient_fields=self._calls.lenient_fields)
        ctx.input_seconds = time.monotonic() - started
        answer = await self._service.tensor_inference.infer(request, ctx)
        started = time.monotonic()
        response = to_infer_response(message, answer)
        ctx.output_seconds = time.monotonic() - started
        return response


def _to_message(found: dict[str, Any], message_type: type[M]) -> M:
    message: M = ParseDict(found, message_type())
    return message


def _metadata(context: grpc.aio.ServicerContext) -> dict[str, str]:
    found = context.invocation_metadata() or ()
    return {key: value for key, value in found if isinstance(value, str)}
