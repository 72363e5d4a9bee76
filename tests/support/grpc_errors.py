"""Reads the details of a gRPC error beside its status."""

import grpc
from google.rpc import error_details_pb2, status_pb2


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
