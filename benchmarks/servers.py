"""Starts and stops servers as processes: ours and the peers', each in its own environment."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.data import MODEL

ROOT = Path(__file__).parents[1]
APPS = Path(__file__).parent / "peers"
_LOG = ROOT / ".data" / "benchmark-server.log"
_START_SECONDS = 120
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Peer:
    """Describes a peer: its environment under .peers/, its command there, and its completion request."""

    name: str
    command: tuple[str, ...]
    path: str

    @property
    def installed(self) -> bool:
        return (ROOT / ".peers" / self.name / "ok").exists()

    def body(self, max_tokens: int) -> bytes:
        fields = {"prompt": "ROMEO:", "max_tokens": max_tokens, "temperature": 0.8}
        if self.name == "bentoml":
            return json.dumps({"requests": [fields]}).encode()
        if self.path.startswith("/v2"):
            types = {"prompt": "BYTES", "max_tokens": "INT32", "temperature": "FP32"}
            inputs = [
                {"name": name, "shape": [1, 1], "datatype": types[name], "data": [value]}
                for name, value in fields.items()
            ]
            return json.dumps({"inputs": inputs}).encode()
        return json.dumps(fields).encode()


PEERS = (
    Peer("fastapi", ("python", "fastapi_app.py"), "/complete"),
    Peer("litserve", ("python", "litserve_app.py"), "/predict"),
    Peer("bentoml", ("bentoml", "serve", "bentoml_app:Peer", "--host", "127.0.0.1"), "/complete"),
    Peer("mlserver", ("python", "mlserver_app.py"), "/v2/models/peer/infer"),
    Peer("rayserve", ("python", "rayserve_app.py"), "/complete"),
    Peer("triton", ("python", "triton_app.py"), "/v2/models/peer/infer"),
)


@contextmanager
def peer_server(peer: Peer, data: Path, port: int) -> Iterator[None]:
    """Runs a peer that answers; raises TimeoutError or ChildProcessError if it does not start."""
    binaries = ROOT / ".peers" / peer.name / "bin"
    program, *arguments = peer.command
    if peer.name == "bentoml":
        arguments += ["--port", str(port)]
    environment = {**os.environ, "PORT": str(port), "BENCHMARK_DATA": str(data.resolve())}
    environment["BENTOML_DO_NOT_TRACK"] = environment["RAY_USAGE_STATS_ENABLED"] = "0"
    environment["PYTHONPATH"] = str(APPS)  # Ray's workers start elsewhere
    _check_free(port)
    with _process([str(binaries / program), *arguments], environment, APPS) as process:
        url = f"http://127.0.0.1:{port}{peer.path}"
        _until(
            process,
            lambda: httpx.post(url, content=peer.body(1), headers=_JSON, timeout=60).status_code == 200,
        )
        yield


_JSON = {"Content-Type": "application/json"}


@contextmanager
def our_server(models: Path, port: int, **settings: int | Path) -> Iterator[None]:
    """Runs `nextchar serve` on a port, gRPC on the next one, metrics on the one after."""
    program = Path(sys.executable).with_name("nextchar")
    with server_of([str(program)], models, port, **settings):
        yield


@contextmanager
def server_of(program: list[str], models: Path, port: int, **settings: int | Path) -> Iterator[None]:
    """Runs a server as `our_server` does, by a command that stands for `nextchar`."""
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in {**ports, **settings}.items()]
    command = [*program, "serve", "--models", str(models), "--log-level", "warning", *flags]
    _check_free(port)
    with _process(command, dict(os.environ), ROOT) as process:
        _until(process, lambda: httpx.get(f"http://127.0.0.1:{port}/v2/health/ready").status_code == 200)
        yield


def _check_free(port: int) -> None:
    """Raises OSError if a server still listens here: it would answer in place of the new one."""
    socket.create_server(("127.0.0.1", port)).close()


def our_body(max_tokens: int, seed: int, *, stream: bool) -> bytes:
    fields = {"model": MODEL, "prompt": "ROMEO:", "max_tokens": max_tokens, "temperature": 0.8}
    return json.dumps({**fields, "seed": seed, "stream": stream}).encode()


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process and ends it with all that it has started: some servers leave workers behind."""
    _LOG.parent.mkdir(exist_ok=True)
    with _LOG.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ChildProcessError(f"the server ended with status {process.returncode}; see {_LOG}")
        try:
            if ready():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"the server was not ready within {_START_SECONDS} s; see {_LOG}")
