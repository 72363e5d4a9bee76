"""The recipes of operations/examples/ for affinity, run as they are but for their addresses."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from support.live_server import TLS
from support.ports import free_port
from support.server_process import ServerProcess
from support.tools import debian_program, tool_program
from support.waiting import until

from nextchar.client import Client

EXAMPLES = Path(__file__).parents[3] / "operations/examples"
RECIPES = {"haproxy": "affinity-haproxy.cfg", "nginx": "affinity-nginx.conf", "envoy": "affinity-envoy.yaml"}
_SERVER = re.compile(r"nextchar-([012])\.nextchar-headless")


@dataclass(frozen=True)
class Affinity:
    """One address of each API, before three servers with sessions in their own memory."""

    url: str
    grpc_address: str
    servers: list[ServerProcess]


def configured(recipe: str, servers: list[ServerProcess], ports: tuple[int, int]) -> str:
    """Returns a recipe with the addresses of servers that run here, on ports of the loopback."""
    found = []
    for line in recipe.splitlines():
        place = _SERVER.search(line)
        if place is None:
            own = dict(zip(("8000", "8001"), map(str, ports), strict=True))
        else:
            server = servers[int(place[1])]
            own = {"8000": str(urlsplit(server.url).port), "8001": server.grpc_address.rsplit(":", 1)[1]}
        line = re.sub(r"\b800[01]\b", lambda number, own=own: own[number[0]], line)
        line = re.sub(r"\bbind :", "bind 127.0.0.1:", re.sub(r"\blisten ", "listen 127.0.0.1:", line))
        found.append(_SERVER.sub("127.0.0.1", line).replace("0.0.0.0", "127.0.0.1"))
    return "\n".join(found) + "\n"


def _command(name: str, file: Path) -> list[str | Path]:
    if name == "haproxy":
        return [debian_program("haproxy", "haproxy"), "-db", "-f", file]
    if name == "envoy":
        options = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"]
        return [tool_program("envoy", "envoy"), "-c", file, *options]
    own = f"daemon off; pid {file.parent}/nginx.pid; error_log {file.parent}/nginx.log;"
    return [debian_program("nginx", "nginx"), "-p", file.parent, "-c", file, "-g", own]


def reached_by(url: str, servers: list[ServerProcess]) -> bool:
    """Makes some calls of no session; returns whether every server has got one."""
    before = [num_scored(server) for server in servers]
    with Client(url) as client:
        for _ in range(3 * len(servers)):
            client.score(["a"], model="tiny")
    return all(num_scored(server) > old for server, old in zip(servers, before, strict=True))


def num_scored(server: ServerProcess) -> float:
    """Returns how many calls of a model a server has answered that are of no session."""
    text = httpx.get(server.metrics_url, verify=TLS).text
    lines = [line for line in text.splitlines() if line.startswith("nextchar_requests_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if "score" in line.lower())


@contextmanager
def proxied(name: str, folder: Path, servers: list[ServerProcess]) -> Iterator[Affinity]:
    """Runs one of the proxies, by its recipe, for as long as the context lasts."""
    ports = free_port(), free_port()
    file = folder / RECIPES[name]
    file.write_text(configured((EXAMPLES / RECIPES[name]).read_text(), servers, ports))
    command = _command(name, file)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{ports[0]}"

    def is_up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            return httpx.get(f"{url}/v2/health/ready", verify=TLS).is_success
        except httpx.TransportError:
            return False

    try:
        until(is_up)
        for address in (url, f"grpc://127.0.0.1:{ports[1]}"):
            until(lambda address=address: reached_by(address, servers))
        yield Affinity(url, f"127.0.0.1:{ports[1]}", servers)
    finally:
        process.terminate()
        process.wait(30)
