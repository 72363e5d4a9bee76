"""Formats plain values as readable YAML; strings are quoted as in JSON, which YAML reads too."""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][\w:.-]*[\w.-]|[A-Za-z_]|\d+[smhd]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def to_yaml(value: Any, indent: int = 0) -> str:
    """Formats a value as a block of lines, each ending in a newline."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:{_after(item, indent + 1)}" for key, item in value.items())
    lines = ""
    for item in value:
        block = to_yaml(item, indent + 1) if isinstance(item, dict | list) else f"{pad}  {_scalar(item)}\n"
        lines += f"{pad}- {block[len(pad) + 2 :]}"
    return lines


def _after(value: Any, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return "\n" + to_yaml(value, indent)
    if isinstance(value, str) and "\n" in value:
        pad = "  " * indent
        return " |\n" + "".join(f"{pad}{line}\n" for line in value.rstrip("\n").split("\n"))
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
