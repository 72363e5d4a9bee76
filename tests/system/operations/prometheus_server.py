"""A real Prometheus over one target, with our rules, on loopback."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from support.live_server import TLS
from support.ports import free_port
from support.tools import debian_program
from support.waiting import until

_RULES = Path(__file__).parents[3] / "helm/nextchar/files/rules.yaml"


class Prometheus:
    """What it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30, verify=TLS)
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
        url = f"http://{address}"
        until(lambda: _is_up(url, process))
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(30)


def _is_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    try:
        return httpx.get(f"{url}/-/ready", verify=TLS).is_success
    except httpx.TransportError:
        return False
