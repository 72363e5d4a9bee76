"""Writes docs/configuration.md from the settings."""

from nextchar.entrypoints.settings_reference import setting_texts

_HEAD = """# Configuration

Made by `make docs` from `server/nextchar/entrypoints/settings.py`; do not edit it here.

Each setting is a flag of `nextchar serve`, an environment variable, and a name in a TOML file
(`--config`, `NEXTCHAR_CONFIG`). A flag overrides the environment, the environment overrides the file, the
file overrides the default. Settings are read once, at the start. An empty variable is as if it were not set;
an empty flag or entry of the file is an error.

```toml
# nextchar.toml
http_port = 8000
models = "models"
session_ttl_seconds = 3600
```

An unknown name in the file, or of a variable that begins with `NEXTCHAR_`, is an error at the start that suggests
the nearest setting. Two kinds of variables are ignored: those of the client commands (`NEXTCHAR_URL`,
`NEXTCHAR_API_KEY`), and those that Kubernetes sets in every pod for a service whose name begins with `nextchar`
(`NEXTCHAR_SERVICE_HOST`, `NEXTCHAR_PORT_8000_TCP`, …). A service called `nextchar-http` would set
`NEXTCHAR_HTTP_PORT` to its address, which is an error that names the cause. `enableServiceLinks: false`, which the
chart sets, turns these variables off.

| setting, flag, variable | description | unit | allowed | default |
|---|---|---|---|---|
"""


def page() -> str:
    """Returns the text of the page."""
    rows = [
        f"| `{text.name}`<br>`{text.flag}`<br>`{text.variable}` | {text.text} "
        f"| {text.unit} | {text.allowed} | {text.default} |\n"
        for text in setting_texts()
    ]
    return _HEAD + "".join(row.replace("<name>/<version>", "`<name>/<version>`") for row in rows)
