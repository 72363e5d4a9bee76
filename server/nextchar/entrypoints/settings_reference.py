"""Describes each setting for `nextchar serve --help` and docs/configuration.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_sources import PREFIX

_SWITCH = "true, false"  # the values of a boolean
# The last word of a number's name, and the unit it stands for.
UNITS = {
    "seconds": "seconds",
    "bytes": "bytes",
    "chars": "characters",
    "tokens": "characters",
    "strings": "strings",
    "waiting": "strings",
    "window": "characters",
    "choices": "completions",
    "lanes": "rows",
    "key": "rows",
    "connections": "connections",
    "calls": "calls",
    "sessions": "sessions",
    "threads": "threads",
    "port": "port number",
    "pings": "pings",
    "strikes": "strikes",
}

# The subjects of settings, in the order of the help; a setting belongs to the first that its name fits.
SUBJECTS = {
    "Where it listens": r"config|host|(http|grpc|metrics)_port|playground",
    "Models": r"models|judges|default_model|precision|model_(versions|poll)\w*|strict_readiness|unload_\w+",
    "Engines": r"engine_threads|kernels|max_lanes|reserved_lanes|max_bulk_lanes|max_waiting|\w+_table_bytes",
    "gRPC": r"grpc_\w+",
    "Sessions": r"data_dir|(model_)?session_\w+|state_key|max_sessions|max_state_bytes|replay_sessions",
    "Keys, TLS and origins": r"api_keys_file|max_lanes_per_key|tls_\w+|cors_origins|allowed_hosts",
    "Limits of requests": r"max_(?!connections)\w+|strict_characters|lenient_fields",
    "Connections and timeouts": r"max_connections|\w+_timeout_seconds",
    "Log and traces": r"log_\w+|otlp_\w+",
    "Other": r"\w+",
}


@dataclass(frozen=True, slots=True)
class SettingText:
    """The name, description, unit, allowed values and default of one setting."""

    name: str
    text: str
    unit: str
    allowed: str
    default: str

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether its flag needs no value, and a flag that begins with `--no-` turns it off."""
        return self.allowed == _SWITCH

    @property
    def flags(self) -> str:
        """How `nextchar serve --help` writes its flag."""
        return f"{self.flag} / --no-{self.flag[2:]}" if self.is_switch else f"{self.flag} VALUE"

    @property
    def subject(self) -> str:
        """Which part of the help it belongs to."""
        return next(subject for subject, names in SUBJECTS.items() if re.fullmatch(names, self.name))

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()

    @property
    def shown(self) -> str:
        """The text of the setting's flag in `nextchar serve --help`."""
        facts = [f"env: {self.variable}", f"unit: {self.unit}" if self.unit else ""]
        facts += [f"allowed: {self.allowed}" if self.allowed else "", f"default: {self.default}"]
        return f"{self.text} [{'; '.join(fact for fact in facts if fact)}]"


def setting_texts() -> Iterator[SettingText]:
    """Yields the description of every setting, in the order of the class."""
    for name, schema in Settings.model_json_schema()["properties"].items():
        kinds: list[dict[str, Any]] = schema.get("anyOf", [schema])
        kind = kinds[0]
        yield SettingText(name, schema["description"], _unit(name, kind), _allowed(kind), _default(schema))


def _unit(name: str, kind: dict[str, Any]) -> str:
    by_name = kind.get("additionalProperties")  # of a setting that has a number per model
    numbers = by_name if isinstance(by_name, dict) else kind
    return UNITS[name.rpartition("_")[2]] if numbers.get("type") in ("integer", "number") else ""


def _allowed(kind: dict[str, Any]) -> str:
    if kind.get("type") == "boolean":
        return _SWITCH
    if "enum" in kind:
        return ", ".join(kind["enum"])
    if "exclusiveMinimum" in kind:
        low = f"more than {kind['exclusiveMinimum']:g}"
    else:
        low = f"from {kind['minimum']:.10g}" if "minimum" in kind else ""
    high = f"up to {kind['maximum']:.10g}" if "maximum" in kind else ""
    return " ".join(part for part in (low, high) if part)


def _default(schema: dict[str, Any]) -> str:
    shown: str | None = schema.get("shown_default")
    if shown is not None:
        return shown
    default = schema.get("default")
    if isinstance(default, bool):
        return str(default).lower()
    if default is None:
        return "none"
    return f"{default:.10g}" if isinstance(default, int | float) else str(default)
