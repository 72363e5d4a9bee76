"""Compares a gRPC response with the JSON of REST."""

from typing import Any


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
