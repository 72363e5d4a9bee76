"""Between what a client asks and protobuf messages: the names are the JSON's, so nothing is spelled out."""

from collections.abc import Mapping
from math import isnan
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from pydantic import BaseModel

from nextchar.client.operations import A, Operation
from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb

_MAPS = ("nextchar.v1.TopLogprobs", "nextchar.v1.PromptLogprobs")  # each a map in JSON


def method_of(rpc: str) -> MethodDescriptor:
    service, _, name = rpc.partition("/")
    return pb.DESCRIPTOR.services_by_name[service].methods_by_name[name]


def make_message(ask: Operation[Any]) -> Message:
    """The message of a call.

    Raises:
        InvalidRequest: gRPC has no such field, or it takes no such value.
    """
    kind = GetMessageClass(method_of(ask.rpc).input_type)
    fields = {name: value for name, value in ask.fields.items() if name != "stream"}
    if "stream_options" in fields:  # usage is always there
        options = fields["stream_options"]
        fields["stream_options"] = {k: v for k, v in options.items() if k != "include_usage"}
    if not isinstance(fields.get("prompt", ""), str):
        fields |= _prompts(list(fields.pop("prompt")))
    if ask.rpc == "Sessions/Fork" and "session_id" in fields:
        fields["fork_id"] = fields.pop("session_id")
    if ask.session_id is not None:
        fields["session_id"] = ask.session_id
    if ask.content is not None:
        fields["state"] = ask.content
    try:
        return kind(**fields)
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        raise InvalidRequest(f"gRPC does not take this: {error}") from error


def _prompts(prompt: list[Any]) -> dict[str, Any]:
    """Several prompts, or ids, which have fields of their own."""
    if all(isinstance(one, str) for one in prompt):
        return {"prompts": prompt}
    several = prompt if isinstance(prompt[0], list) else [prompt]
    return {"prompt_token_ids": [{"ids": ids} for ids in several]}


def read_answer(message: Message, ask: Operation[A]) -> A:
    """The answer that a message is, as JSON would give it."""
    fields = _to_dict(message)
    if each := fields.pop("each", None):
        fields["data"] = each
    if ask.fields.get("return") == "none":
        fields["data"] = fields["entropy_bits"] = None
    return ask.answer.model_validate(_without_empty(fields, ask.answer, ask.fields))


def _to_dict(message: Message) -> dict[str, Any]:
    """All fields; None for what is unset."""
    return {field.name: _value(message, field) for field in message.DESCRIPTOR.fields}


def _map(value: Any) -> dict[Any, Any]:
    return {key: _to_dict(item) if isinstance(item, Message) else item for key, item in value.items()}


def _value(message: Message, field: FieldDescriptor) -> Any:
    if field.has_presence and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        return _map(value)
    if field.message_type.full_name in _MAPS:
        return [_map(item.logprobs) or None for item in value]
    return [_to_dict(item) for item in value] if field.is_repeated else _to_dict(value)


def _without_empty(
    fields: dict[str, Any], answer: type[BaseModel], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """An empty list that JSON would leave out is None: a message cannot tell them apart."""
    if "checkpoints" in fields and fields["state_bytes"] is None:
        fields["checkpoints"] = None
    for choice in fields.get("choices") or ():
        for name in ("token_ids", "prompt_token_ids", "prompt_logprobs"):
            kept = name != "prompt_logprobs" and asked.get("return_token_ids")
            if not (choice.get(name) or kept):
                choice[name] = None
        if logprobs := choice["logprobs"]:
            logprobs["token_logprobs"] = [None if isnan(x) else x for x in logprobs["token_logprobs"]]
            logprobs["top_logprobs"] = [top or {} for top in logprobs["top_logprobs"]]
    for item in fields.get("data") or ():
        if "chars" in item and not asked.get("return_chars"):
            item["chars"] = None
        if "checkpoints" in item:
            item["checkpoints"] = None
    return {name: value for name, value in fields.items() if name in answer.model_fields}
