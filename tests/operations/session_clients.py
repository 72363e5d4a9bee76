"""Clients of sessions that write down every character that was fed or drawn, and every call that failed."""

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

_LETTERS = "abcdefghijklmnop "
_SEED = 7


@dataclass(frozen=True)
class Failure:
    """A call that had no good answer: when it began and ended (monotonic), and what came instead."""

    started: float
    ended: float
    call: str
    what: str


class CallFailed(Exception):
    """No good answer."""


class SessionClient:
    """One session; `text` is all that it has read and drawn, as far as this client was told."""

    def __init__(self, url: str, name: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60)
        self._random = random.Random(name)
        self._path = f"/v1/sessions/{name}"
        self.text = ""
        self.failures: list[Failure] = []
        self.seconds: list[float] = []
        made = self._client.post("/v1/sessions", json={"model": "tiny", "seed": _SEED, "session_id": name})
        assert made.status_code == 201, made.text

    def run_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.step()

    def step(self) -> None:
        """Feed a few characters, ask what comes next, draw a few."""
        piece = "".join(self._random.choices(_LETTERS, k=self._random.randint(1, 12)))
        self._move("feed", len(piece), {"text": piece, "return": "last", "top": 3}, piece)
        self._retried("next", {"top": 1})
        count = self._random.randint(1, 40)
        self._move("sample", count, {"max_tokens": count, "stream": self._random.random() < 0.5}, None)

    def _move(self, call: str, num_chars: int, body: dict[str, Any], piece: str | None) -> None:
        """A call that moves the session. One without an answer was done or not: the session says."""
        while True:
            try:
                moved = self._post(call, body) if piece is None else (self._post(call, body) and piece)
                break
            except CallFailed:
                position = self._retried("", {})["position"]
                if position == len(self.text):
                    continue  # it was not done
                assert position == len(self.text) + num_chars, (position, len(self.text), num_chars)
                self._retried("rewind", {"num_chars": num_chars})  # done, and its answer lost
        assert isinstance(moved, str)
        assert len(moved) == num_chars
        self.text += moved

    def _retried(self, call: str, body: dict[str, Any]) -> Any:
        """A call that may be made twice."""
        while True:
            try:
                return self._post(call, body)
            except CallFailed:
                continue

    def _post(self, call: str, body: dict[str, Any]) -> Any:
        """A call's JSON, or the text that was drawn."""
        started = time.monotonic()
        try:
            if call == "":
                answer = self._client.get(self._path)
            else:
                answer = self._client.post(f"{self._path}/{call}", json=body)
            good = answer.is_success and (not body.get("stream") or answer.text.endswith("data: [DONE]\n\n"))
            what = f"{answer.status_code} {answer.text[-200:]}"
        except httpx.TransportError as error:
            good, what = False, repr(error)
        ended = time.monotonic()
        if not good:
            self.failures.append(Failure(started, ended, call, what))
            raise CallFailed(what)
        self.seconds.append(ended - started)
        return _drawn(answer.text, streamed=body["stream"]) if call == "sample" else answer.json()

    def close(self) -> None:
        self._client.close()

    def position(self) -> int:
        position: int = self._retried("", {})["position"]
        return position

    def distribution(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._retried("next", {})["data"]
        return found

    def reference(self) -> list[dict[str, Any]]:
        """What follows the text for one who reads it in one go."""
        answer = self._client.post("/v1/next", json={"model": "tiny", "input": self.text})
        assert answer.is_success, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


def _drawn(text: str, *, streamed: bool) -> str:
    if not streamed:
        whole: str = json.loads(text)["choices"][0]["text"]
        return whole
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return "".join(json.loads(event)["choices"][0]["text"] for event in events if event != "[DONE]")


@contextmanager
def session_clients(url: str, prefix: str, count: int) -> Iterator[list[SessionClient]]:
    """Clients with a new session each."""
    with ExitStack() as opened:
        clients = [SessionClient(url, f"{prefix}-{i}") for i in range(count)]
        for client in clients:
            opened.callback(client.close)
        yield clients


@contextmanager
def at_work(clients: list[SessionClient]) -> Iterator[None]:
    """They go on until the context ends; what one finds wrong is raised here."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(client.run_until, stop) for client in clients]
        try:
            yield
        finally:
            stop.set()
    for each in working:
        each.result()
