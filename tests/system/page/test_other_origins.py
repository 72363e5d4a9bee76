"""What a page of another origin can do, in a real browser, to a server without keys: nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chromium import Browser
from support.live_server import LiveServer


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>harmless</title><body>harmless</body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Writes no line per request."""


@contextmanager
def foreign_page() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port"])
def test_it_changes_nothing_and_reads_nothing(browser: Browser, shipped: LiveServer, host: str) -> None:
    before = shipped.metric("nextchar_sessions_created_total")
    with foreign_page() as port:
        found = browser.run("stranger.visit", page_url=f"http://{host}:{port}/", url=shipped.url)
    assert found["said"] == {
        "text": "opaque",
        "untyped": "opaque",
        "bare": "opaque",
        "json": "TypeError",  # the browser asks first, and is not allowed
        "read": "TypeError",
    }
    assert "foreign_request" in found["form"]
    assert found["link"] == 200  # a person may follow a link to the documentation
    assert shipped.get("/v1/sessions/stolen").status_code == 404
    assert shipped.metric("nextchar_sessions_created_total") == before


def test_a_name_that_was_turned_to_the_servers_address_gets_the_page_and_no_answer(
    browser: Browser, shipped: LiveServer
) -> None:
    found = browser.run("stranger.rebound", url=f"http://evil.example:{shipped.app.http_port}/")
    assert (found["opened"], found["made"], found["read"]) == (200, 403, 403)
    assert "--allowed-hosts" in found["told"]
    assert shipped.get("/v1/sessions/stolen").status_code == 404
