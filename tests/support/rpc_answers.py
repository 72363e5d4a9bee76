"""Compares a gRPC response with the JSON of REST, and reads the details of a gRPC error."""

from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2


def same(message: Any, answer: dict[str, Any], drop: tuple[str, ...] = ()) -> None:
    """Asserts that a message holds what the JSON holds; what is null there is unset here."""
    present = {field.name for field, _ in message.ListFields()}
    for name, value in answer.items():
        if name in drop:
            continue
        found = getattr(message, name)
        if value is None:
            assert name not in present
        elif isinstance(value, dict):
            same(found, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict) and name != "top_logprobs":
            for item, other in zip(found, value, strict=True):
                same(item, other)
        elif name == "top_logprobs":
            assert [dict(top.logprobs) for top in found] == value
        elif isinstance(value, list):
            assert list(found) == value
        else:
            assert found == value


def details(error: grpc.RpcError) -> tuple[str, str | None, int | None]:
    """Returns our error code, the field at fault, and the seconds to wait."""
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(raw)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    info, field, retry = error_details_pb2.ErrorInfo(), None, None
    for packed in status.details:
        packed.Unpack(info)
        request, wait = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(request):
            field = request.field_violations[0].field
        if packed.Unpack(wait):
            retry = wait.retry_delay.seconds
    assert info.domain == "nextchar"
    code = info.reason.lower()
    assert dict(info.metadata) == {"code": code} | ({} if field is None else {"param": field})
    return code, field, retry
