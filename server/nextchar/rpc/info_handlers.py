"""Answers calls about a model's symbols and the server's limits."""

from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.method import Context, RpcCall
from nextchar.schemas.protobuf import to_message
from nextchar.schemas.tokens import TokenizerInfo
from nextchar.service.service import Service


def model_name(message: pb.TokenizerInfoRequest) -> str | None:
    """Reads the name of the model, which is optional if only one is served."""
    return message.model if message.HasField("model") else None


class InfoHandlers:
    """Answers calls about one service. Handlers that are given gRPC's context are not observed."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def limits(self, _message: pb.LimitsRequest, _context: Context) -> pb.LimitsResponse:
        """Returns the limits of one request, of one owner and of each model."""
        return to_message(self._service.limits_report.limits(), pb.LimitsResponse)

    async def tokenizer_info(self, call: RpcCall[str | None]) -> TokenizerInfo:
        """Returns a model's symbols, for tools that make prompts of ids."""
        return self._service.tokenizer.info(call.body, call.ctx)
