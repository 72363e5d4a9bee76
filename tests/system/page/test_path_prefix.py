"""The page and its documents behind a proxy that takes a prefix off each path."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from chromium import Browser
from support.live_server import TLS, LiveServer
from support.ports import free_port
from support.tools import debian_program
from support.waiting import until

_CONFIG = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:{port}
    http-request deny deny_status 404 unless {{ path /nc }} || {{ path_beg /nc/ }}
    {tell}
    http-request set-path %[path,regsub(^/nc/?,/)]
    default_backend out
backend out
    server nextchar 127.0.0.1:{to}
"""


@contextmanager
def proxied(server: LiveServer, folder: Path, *, tells: bool) -> Iterator[str]:
    """A real proxy in front of a server; returns where it has the server."""
    program, port, file = debian_program("haproxy", "haproxy"), free_port(), folder / "haproxy.cfg"
    tell = "http-request set-header X-Forwarded-Prefix /nc" if tells else ""
    file.write_text(_CONFIG.format(port=port, tell=tell, to=server.app.http_port))
    process = subprocess.Popen([program, "-db", "-q", "-f", file])
    try:
        url = f"http://127.0.0.1:{port}/nc"
        until(lambda: _answers(url))
        yield url
    finally:
        process.kill()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", verify=TLS).is_success
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("tells", "slash"), [(False, "/"), (True, "/"), (True, "")])
def test_the_page_works_behind_a_prefix(
    browser: Browser, shipped: LiveServer, tmp_path: Path, tells: bool, slash: str
) -> None:
    """Without a slash at its end, the address of the page must be told by the proxy."""
    with proxied(shipped, tmp_path, tells=tells) as url:
        found = browser.run("behind.prefix", url=url, slash=slash)
        assert f"curl -sN {url}/v1/completions" in found["snippet"]
        assert found["styled"] != "block"
        assert found["document"] == f"{url}/openapi.json"
        assert found["stored"]
        assert all(name.endswith(" /nc/") for name in found["stored"])
        document = httpx.get(f"{url}/openapi.json", verify=TLS).json()
        assert document.get("servers") == ([{"url": "/nc"}] if tells else None)
