"""schemathesis against a real server: its document is true, whatever is sent.

    python -m hardening.contract --examples 40     # make contract

Two documents are used: the server's own, and the same where every other name is of what is there (models, a
few sessions), so that calls get past the name.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import click
import httpx
from support.server_process import server_process
from support.tiny_models import BYTES, LINES, REFUSING, TEXT, write_models
from support.tools import tool_program

MODELS = {"tiny": TEXT, "lines": LINES, "refusing": REFUSING, "bytes": BYTES, "spare": TEXT}
_SPARE = "spare"  # the only one that is unloaded: without models every other call would only say so
_SESSIONS = ["a", "b", "c"]
# What a schema cannot say (a name that is not there, a size that the settings bound, a text outside a model's
# vocabulary, no time at all) is refused with these; anything else that fits its schema must be taken.
_CONFIG = f"""
[checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 503, 504]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 404, 409, 410, 413, 422, 429, 503, 504]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422]
[[operations]]
include-path = "/v2/repository/models/{{model}}/unload"
parameters = {{ model = "{_SPARE}" }}
"""


def with_names(document: dict[str, Any]) -> dict[str, Any]:
    """The document in which names are of what is there."""
    found = deepcopy(document)
    for name, schema in found["components"]["schemas"].items():
        properties = schema.get("properties", {})
        if "model" in properties and name.endswith("Request"):
            properties["model"] = _also(list(MODELS), properties["model"])
        if name == "CheckpointRequest":
            properties["name"] = _also(_SESSIONS, properties["name"])
    for path in found["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    known = {"session_id": _SESSIONS, "version": ["1"]}.get(parameter["name"], list(MODELS))
                    parameter["schema"] = _also(known, parameter["schema"])
    return found


def _also(names: list[str], schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "enum": names}, schema]}


_PHASES = "examples,coverage,fuzzing,stateful"


def run(
    url: str,
    folder: Path,
    *,
    examples: int,
    seed: int,
    phases: str = _PHASES,
    names: Sequence[str] = ("own", "named"),
) -> tuple[int, int, str]:
    """The documents of these names against a server: the status, how many cases, what was printed.

    One worker: CPython 3.11's parser, which hypothesis calls, fails now and then in threads
    (python/cpython#106905).
    """
    document = httpx.get(url + "/openapi.json").json()
    status, num_cases, printed = 0, 0, ""
    (folder / "schemathesis.toml").write_text(_CONFIG)
    for session in _SESSIONS:
        httpx.post(f"{url}/v1/sessions", json={"model": "tiny", "session_id": session, "prime": "abc"})
    for name in names:
        made = document if name == "own" else with_names(document)
        (folder / f"{name}.json").write_text(json.dumps(made))
        done = subprocess.run(
            [
                *(tool_program("schemathesis", "st"), "--config-file", "schemathesis.toml", "run"),
                *(f"{name}.json", "--url", url, "--checks", "all", "--max-examples", str(examples)),
                *("--seed", str(seed), "--no-color", "--generation-database", "none", "--warnings", "off"),
                *("--phases", phases, "--continue-on-failure", "--workers", "1"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        status |= done.returncode
        printed += done.stdout + done.stderr
        num_cases += int((re.findall(r"(\d[\d,]*) generated", done.stdout) or ["0"])[-1].replace(",", ""))
    return status, num_cases, printed


@click.command
@click.option("--examples", default=40, show_default=True, help="Cases of each call and document, at most.")
@click.option("--seed", default=1, show_default=True)
def main(examples: int, seed: int) -> None:
    """Run all checks of schemathesis and say how it went."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = write_models(folder / "models", MODELS)
        with server_process(models, "--log-level", "error") as server:
            before = server.resident_bytes
            status, num_cases, printed = run(server.url, folder, examples=examples, seed=seed)
            click.echo(printed)
            click.echo(f"{num_cases} cases; the server holds {before / 2**20:.0f} MiB before, ", nl=False)
            click.echo(f"{server.resident_bytes / 2**20:.0f} MiB after")
            states = httpx.post(f"{server.url}/v2/repository/index").json()
            assert httpx.get(server.url + "/health").status_code == 200, states
    sys.exit(status)


if __name__ == "__main__":
    main()
