"""uvicorn has each private part that the server leans on: a release without one fails here, by its name.

`rest/http_protocol.py` and `rest/http_server.py` extend classes of uvicorn that are not its public interface.
The bounds in pyproject.toml keep other releases out until these tests have passed with them.
"""

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

_ROOT = Path(__file__).parents[2]
_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def said(what: str, user: str) -> str:
    return f"uvicorn {uvicorn.__version__} has no {what}, which rest/{user} uses"


class StrictTransport:
    """Knows nothing but what `SingleWrite` does, so that a cycle which needs more of it fails."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        """Nothing to close."""

    def is_closing(self) -> bool:
        return False


class Transport(StrictTransport, asyncio.Transport):
    """What a connection has: it also says where it leads."""

    def __init__(self) -> None:
        StrictTransport.__init__(self)
        asyncio.Transport.__init__(self)


async def hello(_scope: object, _receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def protocol() -> HttpToolsProtocol:
    """A connection as uvicorn makes it; needs a running loop."""
    config = uvicorn.Config(hello, lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
    config.load()
    return HttpToolsProtocol(
        config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop()
    )


@pytest.mark.parametrize(
    "name",
    [
        *("connection_made", "data_received", "connection_lost", "resume_writing"),
        *("on_message_begin", "on_header", "on_headers_complete", "on_body"),
        *("send_400_response", "_unset_keepalive_if_required"),
    ],
)
def test_a_connection_has_the_methods_that_are_extended(name: str) -> None:
    assert inspect.isfunction(getattr(HttpToolsProtocol, name, None)), said(
        f"HttpToolsProtocol.{name}()", "http_protocol.py"
    )


@pytest.mark.parametrize("name", ["connections", "transport", "loop", "cycle", "flow"])
def test_a_connection_has_the_attributes_that_are_read(name: str) -> None:
    async def look() -> bool:
        return hasattr(protocol(), name)

    assert asyncio.run(look()), said(f"HttpToolsProtocol.{name}", "http_protocol.py")


def test_a_flow_says_whether_writing_is_paused() -> None:
    assert hasattr(FlowControl(Transport()), "write_paused"), said(
        "FlowControl.write_paused", "http_protocol.py"
    )


def test_status_lines_are_bytes_by_status() -> None:
    lines = getattr(httptools_impl, "STATUS_LINE", {})
    assert lines.get(408) == b"HTTP/1.1 408 Request Timeout\r\n", said("STATUS_LINE[408]", "http_protocol.py")


def test_a_cycle_writes_an_answer_to_the_transport_it_is_given_before_its_task_begins() -> None:
    async def answer() -> tuple[bool, list[bytes], list[bytes], bool]:
        connection, own, given = protocol(), Transport(), StrictTransport()
        connection.connection_made(own)
        connection.data_received(_GET)
        cycle = connection.cycle
        begun = cycle.response_started
        cycle.transport = given  # type: ignore[assignment]
        while connection.tasks:
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return begun, own.written, given.written, cycle.response_complete

    begun, own, given, complete = asyncio.run(answer())
    assert not begun, "uvicorn begins an answer before SingleWrite is in its place (rest/http_protocol.py)"
    assert own == [], "uvicorn writes an answer past RequestResponseCycle.transport (rest/http_protocol.py)"
    assert len(given) == 2, "uvicorn no longer writes head and body apart: SingleWrite has nothing to do"
    assert given[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert given[1] == b"hi"
    assert complete, said("RequestResponseCycle.response_complete", "http_protocol.py")


def test_a_cycle_uses_no_more_of_its_transport_than_single_write_has() -> None:
    used = set(re.findall(r"self\.transport\.(\w+)", inspect.getsource(RequestResponseCycle)))
    assert used <= {"write", "close", "is_closing"}, (
        f"SingleWrite (rest/http_protocol.py) lacks some of {used}"
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("serve", ["self", "sockets"]),
        ("startup", ["self", "sockets"]),
        ("on_tick", ["self", "counter"]),
        ("capture_signals", ["self"]),
    ],
)
def test_a_server_has_the_methods_that_are_called_or_replaced(name: str, parameters: list[str]) -> None:
    method = getattr(uvicorn.Server, name, None)
    assert method is not None, said(f"Server.{name}()", "http_server.py")
    assert list(inspect.signature(method).parameters) == parameters, said(
        f"Server.{name}({', '.join(parameters)})", "http_server.py"
    )


def test_a_server_calls_what_is_replaced() -> None:
    source = inspect.getsource(uvicorn.Server)
    for call in ("self.capture_signals()", "self.startup(", "self.on_tick(counter)", "asyncio.sleep(0.1)"):
        assert call in source, said(f"call {call} in Server", "http_server.py")


def test_a_server_has_the_attributes_that_are_read_and_set() -> None:
    made = uvicorn.Server(uvicorn.Config(hello))  # type: ignore[arg-type]
    assert made.should_exit is False, said("Server.should_exit", "http_server.py")
    assert made.server_state.connections == set(), said("Server.server_state.connections", "http_server.py")
    assert hasattr(made.config, "timeout_graceful_shutdown"), said(
        "Config.timeout_graceful_shutdown", "http_server.py"
    )


@pytest.mark.parametrize("name", ["ssl_context_factory", "timeout_keep_alive", "http", "server_header"])
def test_a_configuration_takes_what_it_is_given(name: str) -> None:
    assert name in inspect.signature(uvicorn.Config).parameters, said(f"Config({name}=…)", "http_server.py")


def test_the_package_admits_the_releases_that_were_tested_and_no_later_one() -> None:
    found = re.search(r'"uvicorn>=([\d.]+),<([\d.]+)"', (_ROOT / "pyproject.toml").read_text())
    assert found is not None
    first, end = (tuple(map(int, text.split("."))) for text in found.groups())
    for pins in ("serve", "train", "dev", "image"):
        pinned = re.search(r"^uvicorn==([\d.]+)", (_ROOT / f"requirements/{pins}.txt").read_text(), re.M)
        assert pinned is not None
        assert first <= tuple(map(int, pinned[1].split("."))) < end, pins
    installed = re.findall(r"\d+", uvicorn.__version__)
    assert first <= tuple(map(int, installed)) < end
