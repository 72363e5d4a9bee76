"""Writes what is generated of the chart.

From helm/values.py its values.schema.json and the table in its README, and from the server's settings
templates/_settings.tpl.

python -m helm.chart            writes them
python -m helm.chart --check    reports whether they are up to date
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from helm.schema import DECIDED, Schema
from helm.values import values

from nextchar.entrypoints.settings import Settings

CHART = Path(__file__).parent / "nextchar"
# `make chart` writes it, as no value says these, and the server does.
_SETTINGS = """\
{{{{/* Made by `make chart` of the server's settings. */}}}}

{{{{/* The server's own shutdown_timeout_seconds, where config has none. */}}}}
{{{{- define "nextchar.shutdownTimeoutSeconds" -}}}}
{seconds}
{{{{- end }}}}

{{{{/* Variables that other values set. */}}}}
{{{{- define "nextchar.decided" -}}}}
{decided}
{{{{- end }}}}
"""
_START, _END = "<!-- values: made by `make chart` -->", "<!-- end of values -->"


def schema_text() -> str:
    return json.dumps(values(), indent=2) + "\n"


def settings_template() -> str:
    """Returns what the templates know of the server's settings."""
    seconds = Settings.model_fields["shutdown_timeout_seconds"].default
    decided = "\n".join(f"NEXTCHAR_{name.upper()}: {value}" for name, value in DECIDED.items())
    return _SETTINGS.format(seconds=f"{seconds:g}", decided=decided)


def readme_text(current: str) -> str:
    """Returns the README with its table generated anew."""
    before, after = current.split(_START)[0], current.split(_END)[1]
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    rows = ["| value | default | what it is |", "|---|---|---|", *_rows(values(), defaults, "")]
    return f"{before}{_START}\n" + "\n".join(rows) + f"\n{_END}{after}"


def _rows(schema: Schema, defaults: Any, prefix: str) -> list[str]:
    found = []
    for name, part in schema["properties"].items():
        path = f"{prefix}{name}"
        default = defaults.get(name) if isinstance(defaults, dict) else None
        if name == "global":
            continue
        if path == "config":
            found.append(_row(path, json.dumps(default), part["description"]))
        elif "properties" in part:
            found.append(_row(path, None, part["description"]))
            if not path.endswith("resources"):
                found += _rows(part, default, path + ".")
            else:
                found[-1] = _row(path, json.dumps(default), part["description"])
        else:
            found.append(_row(path, json.dumps(default), _described(part)))
    return found


def _row(path: str, default: str | None, text: str) -> str:
    return f"| `{path}` | {'' if default is None else f'`{default}`'} | {text} |"


def _described(part: Schema) -> str:
    names = ", ".join(f"`{name}`" for name in part.get("enum", ()))
    return f"{part['description']} {names}".rstrip()


def stale() -> list[Path]:
    """The files that are not what they would be made now."""
    return [path for path, text in _made().items() if not path.exists() or path.read_text() != text]


def _made() -> dict[Path, str]:
    readme = CHART / "README.md"
    return {
        CHART / "values.schema.json": schema_text(),
        CHART / "templates/_settings.tpl": settings_template(),
        readme: readme_text(readme.read_text()),
    }


def main() -> None:
    if "--check" in sys.argv[1:]:
        names = [path.name for path in stale()]
        sys.exit(f"the chart's {' and '.join(names)} are not fresh: make chart" if names else 0)
    for path, text in _made().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
