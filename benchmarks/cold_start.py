"""Measures the time from the start of the process to ready, beside the imports alone, and idle memory.

Both take turns in each round, so that they have the same machine; the ratio of the medians counts. Python
caches its bytecode whatever the environment says, as in an image and in all that pip installs.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx

from benchmarks.servers import ROOT

_IMPORTS = [sys.executable, "-c", "import onnxruntime, fastapi, grpc"]
_SERVE = [str(Path(sys.executable).with_name("nextchar")), "serve", "--http-port", "0", "--grpc-port", "0"]
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
_MODELS = ("shakespeare", "domains")


def measure(folder: Path, *, rounds: int) -> dict[str, float]:
    """Returns the seconds to ready with two shipped models and of the imports, their ratio, and idle MiB."""
    models = folder / "two-models"
    shutil.rmtree(models, ignore_errors=True)
    for name in _MODELS:
        shutil.copytree(ROOT / "models" / name, models / name)
    imports, starts, sizes = [], [], []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run(_IMPORTS, check=True, env=_ENVIRONMENT)
        imports.append(time.perf_counter() - started)
        started = time.perf_counter()
        with _ready(models) as metrics_url:
            starts.append(time.perf_counter() - started)
            sizes.append(_resident_mib(metrics_url))
    ready, imported = median(starts), median(imports)
    return {
        "ready_seconds": ready,
        "imports_seconds": imported,
        "ready_by_imports": ready / imported,
        "idle_mib": median(sizes),
    }


@contextmanager
def _ready(models: Path) -> Iterator[str]:
    """Runs a server until it has reported ready; yields the URL of its metrics."""
    command = [*_SERVE, "--metrics-port", "0", "--models", str(models), "--log-level", "error"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "the server ended before it was ready"
        while not (found := re.search(r"metrics +(\S+)", line)):
            line = process.stdout.readline()
        yield found[1]
    finally:
        process.kill()
        process.communicate()


def _resident_mib(metrics_url: str) -> float:
    found = re.search(r"^process_resident_memory_bytes (\S+)$", httpx.get(metrics_url).text, re.MULTILINE)
    assert found
    return float(found[1]) / 2**20
