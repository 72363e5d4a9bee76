"""Defines a field of bytes that clients keep and return unread: base64 in JSON, bytes in protobuf."""

import base64
import binascii
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


def _from_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        raise ValueError("is not base64") from None


def _to_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


OpaqueBytes = Annotated[
    bytes,
    BeforeValidator(_from_text),
    PlainSerializer(_to_text, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
