"""Builds the schema of the chart's values, which `make chart` writes.

Each value has a sentence; unknown values are refused. Draft 7, which both majors of Helm read.
"""

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
    "metrics_port": "service",
    "models": "models",
    "session_store": "sessions",
    "state_key": "sessions",
    "tls_certificate_file": "tls",
    "tls_client_ca_file": "tls",
    "tls_key_file": "tls",
}


def typed(kind: str, text: str, **more: Any) -> Schema:
    return {"type": kind, "description": text, **more}


def string(text: str, **more: Any) -> Schema:
    return typed("string", text, **more)


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


def group(text: str, **properties: Schema) -> Schema:
    return typed("object", text, properties=properties, additionalProperties=False)


def quantity(text: str, *, empty: bool = False) -> Schema:
    number = r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?"
    return string(text, pattern=f"^({number})?$" if empty else f"^{number}$")


def file_name(text: str) -> Schema:
    return string(text, pattern="^[-._a-zA-Z0-9]+$")


def port(text: str) -> Schema:
    return integer(text, 1024, 65535)


def resources(text: str) -> Schema:
    amounts = {
        name: quantity(f"{word} per container.") for name, word in (("cpu", "Cores"), ("memory", "Bytes"))
    }
    both = {"required": ["cpu", "memory"]}
    requests, limits = (
        group("What the scheduler reserves.", **amounts),
        group("What the container may use.", **amounts),
    )
    return group(text, requests=requests | both, limits=limits | both) | {"required": ["limits"]}


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
    return group(text, **properties) | {"required": ["shutdown_timeout_seconds"]}


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
