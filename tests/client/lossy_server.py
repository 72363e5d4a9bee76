"""A real server behind a door that loses calls and answers, as a broken network does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx
from support.live_server import TLS

# What happens to a call: it passes; it is done and its answer lost, or held; it is lost; it is refused.
Fate = Literal["pass", "lose", "hold", "drop", "refuse"]
_HOLD_SECONDS = 30
_REFUSAL = b'{"error":{"message":"full","type":"unavailable_error","param":null,"code":"store_unavailable"}}'
_KEPT = ("content-type", "x-session-id")


@dataclass
class LossyServer:
    """Passes calls on to a server; those that change something meet the `fates` in turn, the others pass."""

    target: str
    url: str = ""
    fates: list[Fate] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # of those: method and path, fields

    held: threading.Event = field(default_factory=threading.Event)  # there is an answer that is held
    left: threading.Event = field(default_factory=threading.Event)  # it may go, but nobody will read it

    def meets(self, *fates: Fate) -> None:
        """Says what happens to the next calls that change something; those after them pass."""
        self.fates[:] = fates
        self.calls.clear()

    def fate_of(self, method: str, path: str, content: bytes) -> Fate:
        changes = method != "GET" and not path.endswith(("/next", "/score"))
        if not changes:
            return "pass"
        fields = json.loads(content) if content.startswith(b"{") else {}
        path, _, query = path.partition("?")
        if query:
            fields |= dict(httpx.QueryParams(query))
        self.calls.append((f"{method} {path}", fields))
        return self.fates.pop(0) if self.fates else "pass"


@contextmanager
def lossy(target: str) -> Iterator[LossyServer]:
    """Runs the door of a server."""
    door = LossyServer(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            fate = door.fate_of(self.command, self.path, content)
            if fate == "refuse":
                self._answer(503, {"content-type": "application/json"}, _REFUSAL)
                return
            if fate != "drop":
                headers = {"content-type": self.headers.get("content-type", "")}
                url = door.target + self.path
                answer = httpx.request(
                    self.command, url, content=content, headers=headers, timeout=30, verify=TLS
                )
            if fate == "pass":
                kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
                self._answer(answer.status_code, kept, answer.content)
                return
            if fate == "hold":
                door.held.set()
                door.left.wait(_HOLD_SECONDS)
            self.close_connection = True
            self.connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (http.server's names)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        door.url = f"http://127.0.0.1:{server.server_port}"
        yield door
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
