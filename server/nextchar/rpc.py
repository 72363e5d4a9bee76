"""The gRPC door: translates nextchar.v1 to calls of the service, and nothing else."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.call import Call, Route, make_request_id
from nextchar.errors import InternalError, NextcharError
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc
from nextchar.rpc_errors import abort
from nextchar.rpc_messages import M, to_dict, to_message
from nextchar.schemas import CompletionRequest, NextRequest, ScoreRequest, validated
from nextchar.service import Service

R = TypeVar("R", bound=BaseModel)

logger = logging.getLogger(__name__)


class RpcDoor(nextchar_pb2_grpc.NextcharServicer):
    """The handlers of service nextchar.v1.Nextchar."""

    def __init__(self, service: Service, *, request_timeout_seconds: float) -> None:
        self._service = service
        self._timeout_seconds = request_timeout_seconds

    async def Score(self, message: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:  # noqa: N802
        return await self._answer(
            message, context, "score", ScoreRequest, self._service.score, pb.ScoreResponse
        )

    async def Next(self, message: pb.NextRequest, context: grpc.aio.ServicerContext) -> pb.NextResponse:  # noqa: N802
        return await self._answer(message, context, "next", NextRequest, self._service.next, pb.NextResponse)

    async def Complete(  # noqa: N802
        self, message: pb.CompletionRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.Completion]:
        async with self._observed(context, "complete") as call:
            fields = {**to_dict(message), "stream": True}
            body = validated(lambda: CompletionRequest.model_validate(fields))
            async with aclosing(self._service.stream(body, call)) as pieces:
                async for piece in pieces:
                    yield to_message(piece, pb.Completion)

    async def _answer(
        self,
        message: Message,
        context: grpc.aio.ServicerContext,
        route: Route,
        schema: type[R],
        work: Callable[[R, Call], Coroutine[Any, Any, BaseModel]],
        message_type: type[M],
    ) -> M:
        async with self._observed(context, route) as call:
            body = validated(lambda: schema.model_validate(to_dict(message)))
            return to_message(await work(body, call), message_type)
        raise AssertionError("the call was aborted")

    @asynccontextmanager
    async def _observed(self, context: grpc.aio.ServicerContext, route: Route) -> AsyncIterator[Call]:
        """A call, counted; an error inside ends it with its status."""
        call = self._call(context, route)
        await context.send_initial_metadata((("x-request-id", call.request_id),))
        try:
            with self._service.metrics.observe(call):
                yield call
        except NextcharError as error:
            await abort(context, error)
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except Exception:
            logger.exception("a call failed")
            await abort(context, InternalError("the server failed; the cause is in its log"))

    def _call(self, context: grpc.aio.ServicerContext, route: Route) -> Call:
        metadata = dict(context.invocation_metadata() or ())
        remaining = context.time_remaining()
        seconds = self._timeout_seconds if remaining is None else min(remaining, self._timeout_seconds)
        given = metadata.get("x-request-id")
        request_id = make_request_id(given if isinstance(given, str) else None)
        return Call(route, "grpc", time.monotonic() + seconds, request_id)
