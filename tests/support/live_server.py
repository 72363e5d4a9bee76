"""Runs a real server in this process: real sockets on loopback, its own event loop in its own thread."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx

from nextchar.entrypoints.app import App, running
from nextchar.entrypoints.commands.serve import _loop_factory
from nextchar.entrypoints.settings import Settings
from nextchar.pb import nextchar_pb2_grpc
from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope

_START_SECONDS = _CALL_SECONDS = 30
TLS = ssl.create_default_context()  # httpx would make one for every call, which takes longer than most calls


@dataclass(frozen=True)
class LiveServer:
    """Holds a running server and calls it."""

    app: App
    loop: asyncio.AbstractEventLoop
    settings: Settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.http_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.app.metrics_port}/metrics"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.app.grpc_port}"

    def request(
        self, method: str, path: str, *, timeout: float = _CALL_SECONDS, **fields: Any
    ) -> httpx.Response:
        """Calls it over a connection of its own; `fields` are those of `httpx.request`."""
        return httpx.request(method, self.url + path, timeout=timeout, verify=TLS, **fields)

    def get(self, path: str, **fields: Any) -> httpx.Response:
        return self.request("GET", path, **fields)

    def post(self, path: str, body: Any, **fields: Any) -> httpx.Response:
        return self.request("POST", path, json=body, **fields)

    @contextmanager
    def stream(self, path: str, body: Any) -> Iterator[httpx.Response]:
        """Posts a request whose answer is read as it comes."""
        url = self.url + path
        with httpx.stream("POST", url, json=body, timeout=2 * _CALL_SECONDS, verify=TLS) as answer:
            yield answer

    def is_idle(self) -> bool:
        """Returns whether no lane and no job runs or waits."""
        models = self.app.service.served_models
        return all(model.engine.num_running == 0 == model.num_waiting for model in models)

    @contextmanager
    def stub(self) -> Iterator[nextchar_pb2_grpc.NextcharStub]:
        with grpc.insecure_channel(self.grpc_address) as channel:
            yield nextchar_pb2_grpc.NextcharStub(channel)

    def metric(self, name: str, **labels: str) -> float:
        """Returns a metric's value from the metrics port; 0 if it is not there."""
        from prometheus_client.parser import text_string_to_metric_families

        text = httpx.get(self.metrics_url, timeout=_CALL_SECONDS, verify=TLS).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


Keyed = tuple[LiveServer, str]


@contextmanager
def live_server(models: Path, **settings: Any) -> Iterator[LiveServer]:
    """Runs a server of the models in a folder, on free ports, for as long as the context lasts."""
    made = Settings(models=models, http_port=0, grpc_port=0, metrics_port=0, **settings)
    started: list[LiveServer] = []
    errors: list[BaseException] = []
    up, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        try:
            async with running(made) as app:
                started.append(LiveServer(app, asyncio.get_running_loop(), made))
                up.set()
                await stop.wait()
        except BaseException as error:
            errors.append(error)
            up.set()
            raise

    def run_as_served() -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())

    thread = threading.Thread(target=run_as_served, name="live-server")
    thread.start()
    assert up.wait(_START_SECONDS)
    if errors:
        thread.join()
        raise errors[0]
    try:
        yield started[0]
    finally:
        started[0].loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def keyed_server(models: Path, folder: Path, scopes: Sequence[Scope] = tuple(Scope)) -> Iterator[Keyed]:
    """Runs a server that asks for keys; gives it and its only key, which a file of the folder holds."""
    key, record = make_key("team", list(scopes))
    file = folder / "keys.jsonl"
    file.write_text(record.line + "\n")
    with live_server(models, api_keys_file=file) as running:
        yield running, key
