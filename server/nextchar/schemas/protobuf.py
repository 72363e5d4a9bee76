"""Converts requests and answers to protobuf messages and back, by type; the server and the client share it.

Which types are pairs, and where the two of a pair differ, is declared in `protobuf_pairs`.
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

from google.protobuf.message import Message
from pydantic import BaseModel

from nextchar.errors import InvalidRequest
from nextchar.schemas.protobuf_codec import codec_of

A = TypeVar("A", bound=BaseModel)
M = TypeVar("M", bound=Message)


def to_message(answer: BaseModel, message_type: type[M]) -> M:
    """Converts an answer to its message; what is None stays unset."""
    message: M = message_type(**codec_of(message_type).write(vars(answer)))
    return message


def message_in_parts(answer: BaseModel, message_type: type[M]) -> Generator[None, None, M]:
    """Converts an answer to its message in parts of about a millisecond; it yields between two of them."""
    message: M = message_type()
    yield from codec_of(message_type).fill(message, answer)
    return message


def to_fields(message: Message) -> dict[str, Any]:
    """Converts a request to the fields of its JSON body, which are still to be validated.

    Raises:
        InvalidRequest: one field of the body is set in two forms.
    """
    return codec_of(type(message)).read(message, {})


def to_request(fields: Mapping[str, Any], message_type: type[M], *, session_id: str | None = None) -> M:
    """Converts the fields of a request's JSON body, and the session in its path, to its message.

    Raises:
        InvalidRequest: the message has no such field, or the field cannot hold the value.
    """
    _check_lists(fields, message_type)
    codec = codec_of(message_type)
    for name in fields:
        if name not in codec.names:
            text = f"{name} is not a field of {message_type.DESCRIPTOR.full_name}; leave it out"
            raise InvalidRequest(text, param=name, code="unknown_field")
    try:
        message: M = message_type(**codec.write(fields))
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidRequest(f"protobuf cannot hold a value of the request: {error}") from error
    if session_id is not None:
        message.session_id = session_id
    return message


def _check_lists(fields: Mapping[str, Any], message_type: type[Message], where: str = "") -> None:
    """Checks that no list is empty which a server would then take for one left out.

    A message cannot tell the two apart, and JSON, where the server can, refuses such a list.

    Raises:
        InvalidRequest: a list is empty whose default is another.
    """
    codec = codec_of(message_type)
    for name, value in fields.items():
        if name in codec.never_empty and isinstance(value, list | tuple) and not value:
            raise InvalidRequest(
                f"{where}{name} must have at least one item; leave it out for the default (it is empty, "
                "which gRPC could not tell from that)",
                param=f"{where}{name}",
            )
        if isinstance(value, Mapping) and name in codec.parts:
            _check_lists(value, codec.parts[name], f"{where}{name}.")


def to_answer(message: Message, schema: type[A], request: Mapping[str, Any]) -> A:
    """Converts a message to the answer, as JSON would give it; `request` holds the fields that were sent."""
    return schema.model_validate(codec_of(type(message)).read(message, request))
