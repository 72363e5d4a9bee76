"""uvicorn has each private part that the server leans on: a release without one fails here, by its name.

The files of `rest/http/` extend classes of uvicorn that are not its public interface.
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_ROOT = Path(__file__).parents[2]
_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def said(what: str, user: str) -> str:
    return f"uvicorn {uvicorn.__version__} has no {what}, which rest/{user} uses"


class Transport(asyncio.Transport):
    """Keeps what is written to a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: object) -> None:
        self.written.append(bytes(data))  # type: ignore[call-overload]

    def close(self) -> None:
        """Nothing to close."""

    def is_closing(self) -> bool:
        return False


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
        *("send_400_response", "_unset_keepalive_if_required", "eof_received"),
        *("on_message_complete", "on_response_complete", "_start_asgi_task"),
    ],
)
def test_a_connection_has_the_methods_that_are_extended(name: str) -> None:
    assert inspect.isfunction(getattr(HttpToolsProtocol, name, None)), said(
        f"HttpToolsProtocol.{name}()", "http/protocol.py"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("connections", "transport", "loop", "cycle", "flow", "pipeline", "scope", "scheme"),
        *("parser", "headers"),
    ],
)
def test_a_connection_has_the_attributes_that_are_read(name: str) -> None:
    async def look() -> bool:
        return hasattr(protocol(), name)

    assert asyncio.run(look()), said(f"HttpToolsProtocol.{name}", "http/protocol.py")


def test_a_flow_says_whether_writing_is_paused() -> None:
    assert hasattr(FlowControl(Transport()), "write_paused"), said(
        "FlowControl.write_paused", "http/protocol.py"
    )


def test_a_flow_pauses_and_resumes_reading() -> None:
    for name in ("pause_reading", "resume_reading"):
        assert inspect.isfunction(getattr(FlowControl, name, None)), said(
            f"FlowControl.{name}()", "http/pipelining.py"
        )


@pytest.mark.parametrize(
    "name",
    [
        *("disconnected", "keep_alive", "message_event", "more_body", "response_started", "scope"),
        *("send", "chunked_encoding", "expected_content_length", "waiting_for_100_continue"),
    ],
)
def test_a_cycle_has_the_attributes_that_are_read_and_set(name: str) -> None:
    async def look() -> bool:
        connection = protocol()
        connection.connection_made(Transport())
        connection.data_received(_GET)
        found = hasattr(connection.cycle, name)
        for task in connection.tasks:
            task.cancel()
        return found

    assert asyncio.run(look()), said(f"RequestResponseCycle.{name}", "http/half_close.py")


def test_status_lines_are_bytes_by_status() -> None:
    lines = getattr(httptools_impl, "STATUS_LINE", {})
    assert lines.get(408) == b"HTTP/1.1 408 Request Timeout\r\n", said("STATUS_LINE[408]", "http/protocol.py")


def test_a_cycle_says_when_its_answer_is_complete() -> None:
    async def answer() -> bool:
        connection, transport = protocol(), Transport()
        connection.connection_made(transport)
        connection.data_received(_GET)
        cycle = connection.cycle
        while connection.tasks:
            await asyncio.sleep(0)
        connection.connection_lost(None)
        return cycle.response_complete and b"".join(transport.written).endswith(b"hi")

    assert asyncio.run(answer()), said("RequestResponseCycle.response_complete", "http/protocol.py")


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
    assert method is not None, said(f"Server.{name}()", "http/server.py")
    assert list(inspect.signature(method).parameters) == parameters, said(
        f"Server.{name}({', '.join(parameters)})", "http/server.py"
    )


def test_a_server_calls_what_is_replaced() -> None:
    source = inspect.getsource(uvicorn.Server)
    for call in ("self.capture_signals()", "self.startup(", "self.on_tick(counter)", "asyncio.sleep(0.1)"):
        assert call in source, said(f"call {call} in Server", "http/server.py")


def test_a_server_has_the_attributes_that_are_read_and_set() -> None:
    made = uvicorn.Server(uvicorn.Config(hello))  # type: ignore[arg-type]
    made.config.load()
    assert made.should_exit is False, said("Server.should_exit", "http/server.py")
    assert made.server_state.connections == set(), said("Server.server_state.connections", "http/server.py")
    for name in ("timeout_graceful_shutdown", "http_protocol_class", "lifespan_class"):
        assert hasattr(made.config, name), said(f"Config.{name}", "http/server.py")
    assert made.started is False, said("Server.started", "http/server.py")


def test_a_server_waits_for_and_closes_what_accepts_for_it() -> None:
    source = inspect.getsource(uvicorn.Server)
    for part in ("self.servers", "server.close()", "await server.wait_closed()", "self.lifespan.state"):
        assert part in source, said(f"{part} in Server", "http/server.py")


@pytest.mark.parametrize("name", ["config", "server_state", "app_state"])
def test_a_connection_is_made_of_what_it_is_given(name: str) -> None:
    assert name in inspect.signature(HttpToolsProtocol).parameters, said(
        f"HttpToolsProtocol({name}=…)", "http/server.py"
    )


@pytest.mark.parametrize("name", ["timeout_keep_alive", "http", "server_header"])
def test_a_configuration_takes_what_it_is_given(name: str) -> None:
    assert name in inspect.signature(uvicorn.Config).parameters, said(f"Config({name}=…)", "http/server.py")


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
