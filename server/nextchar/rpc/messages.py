"""Between protobuf messages and our schemas. The names are the same, so nothing is spelled out here."""

from math import nan
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from pydantic import BaseModel

M = TypeVar("M", bound=Message)


def to_dict(message: Message) -> dict[str, Any]:
    """The fields that are set."""
    return {field.name: _to_value(field, value) for field, value in message.ListFields()}


def _to_value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.GetOptions().map_entry:
        return dict(value)
    return [to_dict(item) for item in value] if field.is_repeated else to_dict(value)


def to_message(answer: BaseModel, message_type: type[M]) -> M:
    """An answer as a message; what is None stays unset."""
    message: M = message_type(**_wrap_maps(answer.model_dump(exclude_none=True)))
    return message


def _wrap_maps(value: dict[str, Any]) -> dict[str, Any]:
    """A list of maps is a list of messages that hold a map each; what JSON has in one field may be two."""
    for choice in value.get("choices", ()):
        if logprobs := choice.get("logprobs"):
            logprobs["top_logprobs"] = [{"logprobs": top} for top in logprobs["top_logprobs"]]
            logprobs["token_logprobs"] = [nan if v is None else v for v in logprobs["token_logprobs"]]
        if of_prompt := choice.get("prompt_logprobs"):
            choice["prompt_logprobs"] = [{"logprobs": at or {}} for at in of_prompt]
    data = value.get("data")
    if data and "entropy_bits" in data[0]:  # a distribution after each character has a field of its own
        value["each"] = value.pop("data")
    for trace in data or ():
        if "num_units" in trace:  # nor is there a list of lists
            trace["values"] = [{"values": row} for row in trace["values"]]
    return value
