"""docs/configuration.md, from the settings."""

from nextchar.entrypoints.settings_reference import setting_texts

_HEAD = """# Configuration

Made by `make docs` from `server/nextchar/entrypoints/settings.py`; do not edit it here.

Each setting is a flag of `nextchar serve`, an environment variable, and a name in a TOML file
(`--config`, `NEXTCHAR_CONFIG`). A flag beats the environment, the environment beats the file, the file beats
the default. They are read once, at the start.

```toml
# nextchar.toml
http_port = 8000
models = "models"
session_ttl_seconds = 3600
```

A name that is no setting, in the file or as a variable that begins with `NEXTCHAR_`, is an error at the start
that suggests the nearest one. Two kinds of variables are let pass: those of the client commands
(`NEXTCHAR_URL`, `NEXTCHAR_API_KEY`), and the ones that Kubernetes sets in every pod for a service whose name
begins with `nextchar` (`NEXTCHAR_SERVICE_HOST`, `NEXTCHAR_PORT_8000_TCP`, …). One called `nextchar-http`
would set `NEXTCHAR_HTTP_PORT` to its address; that is an error which says so. `enableServiceLinks: false`,
which the chart sets, turns them all off.

| setting, flag, variable | what it is | unit | allowed | default |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [
        f"| `{text.name}`<br>`{text.flag}`<br>`{text.variable}` | {text.text} "
        f"| {text.unit} | {text.allowed} | {text.default} |\n"
        for text in setting_texts()
    ]
    return _HEAD + "".join(row.replace("<name>/<version>", "`<name>/<version>`") for row in rows)
