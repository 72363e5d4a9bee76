"""Holds objects against Kubernetes' own schemas, strictly."""

import json
import subprocess

from helm_program import Document
from support.tools import tool_python

_VALIDATE = """
import json, sys, kubernetes_validate as kubernetes
for version, name, document in json.load(sys.stdin):
    try:
        kubernetes.validate(document, version, strict=True)
    except kubernetes.ValidationError as error:
        print(version, name, document["kind"], list(error.path), error.message)
    except kubernetes.SchemaNotFoundError:
        print("no schema:", document["kind"])
"""


def validated(cases: list[tuple[str, str, Document]]) -> tuple[list[str], set[str]]:
    """Returns what is wrong with objects, given with a version and a name, and the kinds without a schema."""
    command = [tool_python("ops"), "-c", _VALIDATE]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    without = {line.removeprefix("no schema: ") for line in lines if line.startswith("no schema: ")}
    return [line for line in lines if not line.startswith("no schema: ")], without
