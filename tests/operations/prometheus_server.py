"""A real Prometheus over one target, with our rules, on loopback."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from support.ports import free_port
from support.tools import debian_program

_RULES = Path(__file__).parents[2] / "helm/nextchar/files/rules.yaml"


class Prometheus:
    """What it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The series of a query, now."""
        found: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return found


@contextmanager
def prometheus(folder: Path, target: str, *, interval: str = "1s") -> Iterator[Prometheus]:
    """It scrapes `target` (host:port) as job nextchar."""
    program = debian_program("prometheus", "prometheus")
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": interval},
        "rule_files": [str(_RULES)],
        "scrape_configs": [{"job_name": "nextchar", "static_configs": [{"targets": [target]}]}],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    command = [str(program), f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={address}", "--log.level=warn"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield Prometheus(_up(f"http://{address}", process))
    finally:
        process.terminate()
        process.wait(30)


def _up(url: str, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 30
    while True:
        assert process.poll() is None
        assert time.monotonic() < until
        try:
            if httpx.get(f"{url}/-/ready").is_success:
                return url
        except httpx.TransportError:
            continue
