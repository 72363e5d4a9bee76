"""The part of the Kubernetes API that `helm test` uses, over TLS, with pods that are real server processes.

Deleting a pod kills its process at once, harder than Kubernetes would; another takes its place.
"""

import json
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.certificates import Authority

_ROOT = Path(__file__).parents[3]
_SERVE = [
    sys.executable,
    "-c",
    "from nextchar.entrypoints.main import main; main(prog_name='nextchar')",
    "serve",
]
TOKEN = "the-token-of-the-account"


@dataclass
class Cluster:
    """Pods by name; each has one generation at a time, and all have one port of the loopback in turn."""

    models: Path
    port: int
    options: list[str]
    selector: str = "app.kubernetes.io/name=nextchar"
    generations: list[subprocess.Popen[str]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def start_pod(self) -> None:
        ports = ["--http-port", str(self.port), "--grpc-port", "0", "--metrics-port", "0"]
        path = f"{_ROOT / 'server'}:{_ROOT / 'training'}"
        process = subprocess.Popen(
            [*_SERVE, "--models", str(self.models), *ports, *self.options],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path},
        )
        assert process.stdout is not None
        while "Try:" not in (line := process.stdout.readline()):
            assert line, "the server did not start"
        self.generations.append(process)

    def kill_pod(self) -> None:
        process = self.generations[-1]
        process.kill()
        process.communicate(timeout=30)

    def pods(self) -> list[dict[str, Any]]:
        number = len(self.generations)
        status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": "pod-0", "uid": f"uid-{number}"}, "status": status}]

    def delete(self, name: str) -> None:
        self.deleted.append(name)
        self.kill_pod()
        self.start_pod()


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _allowed(self) -> bool:
            if self.headers["Authorization"] == f"Bearer {TOKEN}":
                return True
            self._answer(401, {"kind": "Status"})
            return False

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            wanted = parse_qs(parts.query).get("labelSelector", [""])[0]
            if not self._allowed():
                return
            known = parts.path == "/api/v1/namespaces/n/pods" and cluster.selector in wanted.split(",")
            self._answer(200 if known else 404, {"items": cluster.pods() if known else []})

        def do_DELETE(self) -> None:
            name = re.fullmatch(r"/api/v1/namespaces/n/pods/([-a-z0-9]+)", self.path)
            if not self._allowed():
                return
            if name:
                cluster.delete(name[1])
            self._answer(200 if name else 404, {"kind": "Status"})

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal of the tests."""

    return Handler


@contextmanager
def kubernetes_api(cluster: Cluster, account: Path) -> Iterator[int]:
    """The API's port; what a pod's account has is written into a folder."""
    authority = Authority(account.parent / "certificates")
    shutil.copy(authority.certificate, account / "ca.crt")
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text("n")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cluster))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
