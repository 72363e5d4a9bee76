"""Calls sessions for tests, and makes the models they use."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from support.live_server import TLS, LiveServer
from support.tiny_models import LINES, REFUSING, TEXT, TinyModel

MODELS = {"tiny": TEXT, "lines": LINES, "refusing": REFUSING, "relu": TinyModel("rnn_relu", seed=5)}
# With the alternatives to each character these are 8 MB: more than the sockets' buffers hold: one of a fixed
# size here, and of 4 MB at the server.
HELD_CHARS = 16_000
_FIXED_BUFFER = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**18)]


class Session:
    """Calls one session of one server over REST."""

    def __init__(self, url: str, session_id: str) -> None:
        self.url, self.id = url, session_id

    @classmethod
    def create(cls, server: LiveServer | str, **fields: Any) -> "Session":
        url = server if isinstance(server, str) else server.url
        answer = httpx.post(
            f"{url}/v1/sessions", json={"model": "tiny", "seed": 7} | fields, timeout=30, verify=TLS
        )
        assert answer.status_code == 201, answer.text
        return cls(url, answer.json()["session_id"])

    def on(self, server: LiveServer | str) -> "Session":
        """Returns the same session on another server."""
        return Session(server if isinstance(server, str) else server.url, self.id)

    def post(self, call: str, **fields: Any) -> httpx.Response:
        return httpx.post(f"{self.url}/v1/sessions/{self.id}/{call}", json=fields, timeout=30, verify=TLS)

    def do(self, call: str, **fields: Any) -> dict[str, Any]:
        """Makes a call that must succeed."""
        answer = self.post(call, **fields)
        assert answer.is_success, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def info(self) -> dict[str, Any]:
        result: dict[str, Any] = httpx.get(f"{self.url}/v1/sessions/{self.id}", timeout=30, verify=TLS).json()
        return result

    def next(self) -> list[dict[str, Any]]:
        """Returns the whole distribution, by which states are told apart."""
        found: list[dict[str, Any]] = self.do("next")["data"]
        return found

    def sample(self, **fields: Any) -> str:
        text: str = self.do("sample", **fields)["choices"][0]["text"]
        return text

    def stream(self, **fields: Any) -> list[dict[str, Any]]:
        """Returns the events of a sample, without [DONE]."""
        lines = self.post("sample", stream=True, **fields).text.split("\n\n")
        events = [line.removeprefix("data: ") for line in lines if line]
        assert events.pop() == "[DONE]"
        return [json.loads(event) for event in events]

    @contextmanager
    def held_stream(self) -> Iterator[Iterator[str]]:
        """Draws HELD_CHARS characters as a stream, which cannot end before its lines are read here."""
        url, body = f"{self.url}/v1/sessions/{self.id}/sample", {"max_tokens": HELD_CHARS, "logprobs": 20}
        transport = httpx.HTTPTransport(socket_options=_FIXED_BUFFER, verify=TLS)
        with (
            httpx.Client(transport=transport, timeout=60) as client,
            client.stream("POST", url, json=body | {"stream": True}) as answer,
        ):
            assert answer.is_success
            yield answer.iter_lines()

    def state(self) -> bytes:
        answer = httpx.get(f"{self.url}/v1/sessions/{self.id}/state", timeout=30, verify=TLS)
        assert answer.status_code == 200
        return answer.content

    def put_state(self, content: bytes) -> httpx.Response:
        return httpx.put(f"{self.url}/v1/sessions/{self.id}/state", content=content, timeout=30, verify=TLS)

    def delete(self) -> httpx.Response:
        return httpx.delete(f"{self.url}/v1/sessions/{self.id}", timeout=30, verify=TLS)
