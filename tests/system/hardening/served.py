"""`nextchar serve` in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServerProcess:
    """A server that is up, and where."""

    process: subprocess.Popen[str]
    url: str
    grpc_url: str

    @property
    def resident_bytes(self) -> int:
        """Memory it holds now."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def server_process(models: Path, *options: str) -> Iterator[ServerProcess]:
    """A server of the models in a folder, on free ports, killed at the end."""
    ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
    command = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "serve", *ports]
    command += ["--models", str(models), *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            told = ""
            while not (rest := re.search(r"REST +(http://\S+)", told)) or "gRPC" not in told:
                line = process.stdout.readline()
                assert line, "the server did not start"
                told += line
            rpc = re.search(r"gRPC +(\S+)", told)
            assert rpc is not None
            yield ServerProcess(process, rest[1], f"grpc://{rpc[1]}")
        finally:
            process.kill()
