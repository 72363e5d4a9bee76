"""Answers calls of the Open Inference Protocol: inference.GRPCInferenceService."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any

from google.protobuf.json_format import ParseDict

from nextchar.errors import NextcharError
from nextchar.pb import inference_pb2 as pb
from nextchar.rpc.handler import RpcHandler
from nextchar.rpc.method import Context, RpcCall, metadata_of
from nextchar.rpc.oip_messages import to_infer_response, to_request
from nextchar.rpc.score_stream import ordered_results
from nextchar.schemas.protobuf import M
from nextchar.service.oip.schemas import InferRequest
from nextchar.service.service import Service

_SCHEDULING = "x-model-scheduling"
_REAL_STATUS = "triton_grpc_error"
_MAX_AT_WORK = 64  # requests of one stream


class OipHandlers:
    """Answers calls of one service. Handlers that are given gRPC's context are not observed as a whole."""

    def __init__(self, service: Service, handler: RpcHandler) -> None:
        self._service, self._handler = service, handler
        self._models = service.model_metadata

    async def server_live(self, _message: pb.ServerLiveRequest, _context: Context) -> pb.ServerLiveResponse:
        """Returns true for as long as the process answers."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(
        self, _message: pb.ServerReadyRequest, _context: Context
    ) -> pb.ServerReadyResponse:
        """Returns whether the server accepts new work and every model answers."""
        return pb.ServerReadyResponse(ready=self._service.lifecycle.ready)

    async def model_ready(self, message: pb.ModelReadyRequest, _context: Context) -> pb.ModelReadyResponse:
        """Returns whether the model answers."""
        return pb.ModelReadyResponse(ready=self._models.ready(message.name, message.version))

    async def server_metadata(
        self, _message: pb.ServerMetadataRequest, _context: Context
    ) -> pb.ServerMetadataResponse:
        """Returns the server's name, its version and its extensions of the protocol."""
        return _to_message(self._models.server(), pb.ServerMetadataResponse)

    async def model_metadata(
        self, message: pb.ModelMetadataRequest, _context: Context
    ) -> pb.ModelMetadataResponse:
        """Returns the names, datatypes and shapes of the model's tensors."""
        return _to_message(self._models.metadata(message.name, message.version), pb.ModelMetadataResponse)

    async def model_config(self, message: pb.ModelConfigRequest, context: Context) -> pb.ModelConfigResponse:
        """Returns the model's configuration in Triton's terms."""
        scheduling = metadata_of(context).get(_SCHEDULING, "sequence")
        found = self._models.config(message.name, message.version, scheduling)
        return _to_message({"config": found}, pb.ModelConfigResponse)

    async def model_statistics(
        self, message: pb.ModelStatisticsRequest, _context: Context
    ) -> pb.ModelStatisticsResponse:
        """Returns the statistics since the start of the server: of one version, of one model or of all."""
        found = self._models.statistics(message.name, message.version)
        return _to_message({"model_stats": found}, pb.ModelStatisticsResponse)

    def infer_request(self, message: pb.ModelInferRequest) -> InferRequest:
        """Reads a message of tensors."""
        return to_request(message, lenient_fields=self._handler.lenient_fields)

    async def infer(self, call: RpcCall[InferRequest]) -> pb.ModelInferResponse:
        """Runs the model on tensors."""
        call.ctx.input_seconds = call.read_seconds
        answer = await self._service.tensor_inference.infer(call.body, call.ctx)
        started = time.monotonic()
        response = to_infer_response(call.message, answer)
        call.ctx.output_seconds = time.monotonic() - started
        return response

    async def stream_infer(
        self, messages: AsyncIterator[pb.ModelInferRequest], context: Context
    ) -> AsyncGenerator[pb.ModelStreamInferResponse]:
        """Yields a response to each request, in order; a request that fails has an error and ends no stream.

        With metadata `triton_grpc_error: true` it ends the stream with its status.
        """
        real_status = metadata_of(context).get(_REAL_STATUS, "").lower() == "true"

        async def answer(message: pb.ModelInferRequest) -> pb.ModelStreamInferResponse:
            def read() -> InferRequest:
                self._handler.check_fields(message)
                return self.infer_request(message)

            try:
                with self._handler.observed("infer", read, message, context) as call:
                    return pb.ModelStreamInferResponse(infer_response=await self.infer(call))
            except NextcharError as error:
                if real_status:
                    raise
                empty = pb.ModelInferResponse(model_name=message.model_name, id=message.id)
                return pb.ModelStreamInferResponse(error_message=error.message, infer_response=empty)

        async def works() -> AsyncGenerator[Coroutine[Any, Any, pb.ModelStreamInferResponse]]:
            async for message in messages:
                yield answer(message)

        async with aclosing(ordered_results(works(), _MAX_AT_WORK)) as responses:
            async for response in responses:
                yield response


def _to_message(found: dict[str, Any], message_type: type[M]) -> M:
    message: M = ParseDict(found, message_type())
    return message
