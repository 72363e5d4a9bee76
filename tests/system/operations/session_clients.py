"""Clients of sessions that write down every character that was fed or drawn, and every call that failed."""

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from proxy import SERVED_BY
from support.live_server import TLS
from support.waiting import until

_LETTERS = "abcdefghijklmnop "
_SEED = 7
_MIN_CHARS = 100
_MAX_TRIES = 50


@dataclass(frozen=True)
class Failure:
    """Records a call that had no good answer: when (monotonic), which replica had it, what came instead."""

    started: float
    ended: float
    replica: str | None
    call: str
    what: str


class CallFailed(Exception):
    """Tells that a call had no good answer."""


class SessionClient:
    """One session; `text` is all that it has read and drawn, as far as this client was told."""

    def __init__(self, url: str, name: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=60, verify=TLS)
        self._random = random.Random(name)
        self._path = f"/v1/sessions/{name}"
        self.text = ""
        self.failures: list[Failure] = []
        self.seconds: list[float] = []
        made = self._client.post("/v1/sessions", json={"model": "tiny", "seed": _SEED, "session_id": name})
        assert made.status_code == 201, made.text

    @property
    def num_calls(self) -> int:
        """The calls that have ended."""
        return len(self.seconds) + len(self.failures)

    def run_until(self, stop: threading.Event) -> None:
        while len(self.text) < _MIN_CHARS or not stop.is_set():
            self.step()

    def step(self) -> None:
        """Feed a few characters, ask what comes next, draw a few."""
        piece = "".join(self._random.choices(_LETTERS, k=self._random.randint(1, 12)))
        self._move("feed", len(piece), {"text": piece, "return": "last", "top": 3}, piece)
        self._retried("next", {"top": 1})
        count = self._random.randint(1, 40)
        self._move("sample", count, {"max_tokens": count, "stream": self._random.random() < 0.5}, None)

    def _move(self, call: str, num_chars: int, body: dict[str, Any], piece: str | None) -> None:
        """Makes a call that moves the session. One without an answer was done or not: the session says."""
        for _ in range(_MAX_TRIES):
            try:
                moved = self._post(call, body) if piece is None else (self._post(call, body) and piece)
            except CallFailed:
                position = self._retried("", {})["position"]
                if position == len(self.text):
                    continue  # it was not done
                assert position == len(self.text) + num_chars, (position, len(self.text), num_chars)
                self._retried("rewind", {"num_chars": num_chars})  # done, and its answer lost
            else:
                assert isinstance(moved, str)
                assert len(moved) == num_chars
                self.text += moved
                return
        raise AssertionError(self.failures[-1])

    def _retried(self, call: str, body: dict[str, Any]) -> Any:
        """Makes a call that may be made twice."""
        for _ in range(_MAX_TRIES):
            try:
                return self._post(call, body)
            except CallFailed:
                continue
        raise AssertionError(self.failures[-1])

    def _post(self, call: str, body: dict[str, Any]) -> Any:
        """Returns a call's JSON, or the text that was drawn."""
        method, path = ("GET", self._path) if call == "" else ("POST", f"{self._path}/{call}")
        started, replica = time.monotonic(), None
        try:
            with self._client.stream(method, path, json=body or None) as answer:
                replica = answer.headers.get(SERVED_BY)
                answer.read()
            good = answer.is_success and (not body.get("stream") or answer.text.endswith("data: [DONE]\n\n"))
            what = f"{answer.status_code} {answer.text[-200:]}"
        except httpx.TransportError as error:
            good, what = False, repr(error)
        ended = time.monotonic()
        if not good:
            self.failures.append(Failure(started, ended, replica, call, what))
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


class Work:
    """Clients that work, each in a thread of its own."""

    def __init__(self, clients: list[SessionClient], working: list[Future[None]]) -> None:
        self._clients, self._working = clients, working

    def go_on(self) -> None:
        """Returns when every client has begun a call and ended it; the calls of before have ended, too."""
        before = [client.num_calls for client in self._clients]

        def went_on() -> bool:
            for each in self._working:
                if each.done():
                    each.result()  # raises what the client found wrong
            return all(c.num_calls >= n + 2 for c, n in zip(self._clients, before, strict=True))

        until(went_on)


@contextmanager
def at_work(clients: list[SessionClient]) -> Iterator[Work]:
    """Lets them go on until the context ends; what one finds wrong is raised here."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [pool.submit(client.run_until, stop) for client in clients]
        try:
            yield Work(clients, working)
        finally:
            stop.set()
    for each in working:
        each.result()
