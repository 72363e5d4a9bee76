"""Builds the schema of the chart's values, which `make chart` writes.

Each value has a sentence; unknown values are refused, and so is null where there must be a value. Draft 7,
which both majors of Helm read.
"""

import re
from typing import Any

from nextchar.entrypoints.settings import Settings

Schema = dict[str, Any]

# Settings that other values decide.
DECIDED = {
    "api_keys_file": "auth",
    "config": "config",
    "data_dir": "sessions",
    "grpc_port": "service",
    "host": "service",
    "http_port": "service",
    "judges": "judges",
    "metrics_port": "service",
    "models": "models",
    "session_store": "sessions",
    "state_key": "sessions",
    "tls_certificate_file": "tls",
    "tls_client_ca_file": "tls",
    "tls_key_file": "tls",
}


MAY_BE_NULL = ("resources",)  # a group's values that may be left out by null


def typed(kind: str, text: str, **more: Any) -> Schema:
    return {"type": kind, "description": text, **more}


def string(text: str, **more: Any) -> Schema:
    return typed("string", text, **more)


def pull_policy() -> Schema:
    return choice("When to pull the image.", "Always", "IfNotPresent", "Never")


def integer(text: str, minimum: int, maximum: int | None = None) -> Schema:
    return typed("integer", text, minimum=minimum, **({} if maximum is None else {"maximum": maximum}))


def switch(text: str) -> Schema:
    return typed("boolean", text)


def choice(text: str, *names: str) -> Schema:
    return string(text, enum=list(names))


def strings(text: str, **more: Any) -> Schema:
    return typed("array", text, items={"type": "string", **more})


def anything(text: str) -> Schema:
    """Describes an object of Kubernetes, passed on unchanged."""
    return typed("object", text)


def list_of_anything(text: str) -> Schema:
    return typed("array", text, items={"type": "object"})


def words(text: str) -> Schema:
    """Describes labels or annotations."""
    return typed("object", text, additionalProperties={"type": "string"})


def group(text: str, *, optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Describes values that belong together; `optional` names groups among them that may be null."""
    found = typed("object", text, properties=properties, additionalProperties=False)
    required = [n for n, part in properties.items() if n not in optional and not may_be_null(part)]
    return found | ({"required": required} if required else {})


def may_be_null(part: Schema) -> bool:
    """Returns whether null, by which Helm takes a default away, means the same as an empty value."""
    kind = part.get("type")
    if kind == "string":
        is_free = "enum" not in part and not part.get("minLength")
        return is_free and re.search(part.get("pattern", ""), "") is not None
    if kind == "object":
        return "properties" not in part
    return kind == "array" or (isinstance(kind, list) and "null" in kind)


_AMOUNT = r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?"


def quantity(text: str, *, empty: bool = False) -> Schema:
    """Describes an amount as Kubernetes writes it: a number, or a string of one with a unit."""
    pattern = f"^({_AMOUNT})?$" if empty else f"^{_AMOUNT}$"
    return typed(["string", "number"], text, pattern=pattern, minimum=0) | ({"minLength": 0} if empty else {})


def file_name(text: str) -> Schema:
    return string(text, pattern="^[-._a-zA-Z0-9]+$")


def port(text: str) -> Schema:
    return integer(text, 1024, 65535)


def resources(text: str) -> Schema:
    """Describes requests and limits; each, and each amount in it, may be left out."""
    known = r"^(cpu|memory|ephemeral-storage|hugepages-.+|[^/]+/[^/]+)$"
    requests, limits = (
        typed("object", words, propertyNames={"pattern": known}, additionalProperties=quantity("An amount."))
        for words in ("What the scheduler reserves.", "What the container may use.")
    )
    return group(text, requests=requests, limits=limits)


def environment(text: str) -> Schema:
    """Describes variables of a container, each with a value or where it comes from."""
    variable = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[-._a-zA-Z][-._a-zA-Z0-9]*$"},
            "value": {"type": "string"},
            "valueFrom": {"type": "object"},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    return typed("array", text, items=variable)


def probe(text: str) -> Schema:
    return group(
        text,
        periodSeconds=integer("Seconds between probes.", 1),
        timeoutSeconds=integer("Seconds within which the server must answer.", 1),
        failureThreshold=integer("Consecutive failures until the probe counts as failed.", 1),
    )


def settings() -> Schema:
    """Describes `config`: the server's settings with the bounds that it validates."""
    own = Settings.model_json_schema()
    defined = own.get("$defs", {})
    properties = {
        name: _setting(field, defined) for name, field in own["properties"].items() if name not in DECIDED
    }
    text = "Settings of the server by name (docs/configuration.md), passed as environment variables."
    # Null leaves a setting to the server's own default.
    return typed("object", text, properties=properties, additionalProperties=False)


def _setting(field: Schema, defined: dict[str, Schema]) -> Schema:
    """Describes one setting with its bounds, without its default, which the server knows."""
    while "$ref" in field:
        rest = {key: value for key, value in field.items() if key != "$ref"}
        field = defined[field["$ref"].rpartition("/")[2]] | rest
    dropped = ("default", "title", "shown_default", "env_names", "format", "writeOnly")
    kept = {key: value for key, value in field.items() if key not in dropped}
    if "anyOf" in kept:
        kept["anyOf"] = [
            _setting(option, defined) for option in kept["anyOf"] if option.get("type") != "null"
        ]
        if len(kept["anyOf"]) == 1:
            kept |= kept.pop("anyOf")[0]
    return kept
