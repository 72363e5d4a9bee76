"""Runs clients that send each call to a random server, and retry or look it up when it gets no response."""

import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from support.live_server import TLS

Operation = tuple[str, dict[str, Any]]
_TEXT = "the quick brown fox jumps over a lazy dog. "
_COMPARED = ("data", "choices", "logprob", "position", "revision", "max_rewind", "checkpoints")
MOVING = ("feed", "sample", "checkpoint", "rollback", "rewind")
_MAX_TRIES = 20  # each goes to another server than the one before; at most one of them is down


def operations(seed: int, count: int) -> list[Operation]:
    """Makes the operations on one session, in order."""
    draw, made = random.Random(seed), [("checkpoint", {"name": "c"})]
    while len(made) < count:
        size = draw.randint(1, 30)
        made.append(
            draw.choice(
                [
                    ("feed", {"text": (_TEXT * 2)[size : 2 * size], "top": 3}),
                    ("feed", {"text": _TEXT[:size], "return": "none"}),
                    ("sample", {"max_tokens": size}),
                    ("sample", {"max_tokens": size, "temperature": 0.5, "top_k": 5}),
                    ("next", {"top": 3}),
                    ("score", {"input": ["fox", "dog"]}),
                    ("rewind", {"num_chars": 0}),
                    ("checkpoint", {"name": "c"}),
                    ("rollback", {"name": "c"}),
                ]
            )
        )
    return made[:count]


@dataclass
class CallCounts:
    """Counts the calls of all clients."""

    num_done: int = 0
    num_failed: int = 0
    num_lost_answers: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, **counts: int) -> None:
        with self.lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)


class Strike(Protocol):
    """Sends a call to a server and ends that server before the response has been read."""

    def __call__(self, path: str, body: dict[str, Any], /) -> None: ...


Strikes = Mapping[tuple[int, int], Strike]  # by the session's seed and the place of its operation


class Hopper:
    """Calls one session. A change names the revision it applies to, so that it is never done twice."""

    def __init__(self, urls: Sequence[str], seed: int, counts: CallCounts, strikes: Strikes) -> None:
        self._urls, self._counts = urls, counts
        self._strikes = {place: strike for (of, place), strike in strikes.items() if of == seed}
        self._random = random.Random(-1 - seed)
        self._client = httpx.Client(timeout=30, verify=TLS)
        self._path = f"/v1/sessions/s{seed}"
        self._revision, self._server = 1, 0
        # Every other session learns its text.
        made = {"model": "tiny", "session_id": f"s{seed}", "seed": seed, "adaptive": seed % 2 == 1}
        self._sure("POST", "/v1/sessions", made, fine=(201, 409))

    def close(self) -> None:
        self._client.close()

    def run(self, todo: list[Operation]) -> list[dict[str, Any] | None]:
        return [self.do(call, fields, self._strikes.get(k)) for k, (call, fields) in enumerate(todo)]

    def do(self, call: str, fields: dict[str, Any], strike: Strike | None = None) -> dict[str, Any] | None:
        """Runs an operation; returns its response, or None if it was done and its response lost."""
        path = f"{self._path}/{call}"
        self._counts.add(num_done=1)
        if call not in MOVING:
            return _compared(self._sure("POST", path, fields))
        body = fields | {"if_revision": self._revision}
        if strike is not None:
            strike(path, body)
            if self._was_moved():
                return None
        for _ in range(_MAX_TRIES):
            if (answer := self._once("POST", path, body)) is not None:
                assert answer.status_code == 200, answer.text
                self._revision += 1
                assert answer.json()["revision"] == self._revision
                return _compared(answer.json())
            if self._was_moved():
                return None
        raise AssertionError(f"{_MAX_TRIES} tries of {path} had no response")

    def _was_moved(self) -> bool:
        """Returns whether the session is one revision further: by a call whose response was lost."""
        revision = self._sure("GET", self._path)["revision"]
        assert revision in (self._revision, self._revision + 1)
        moved: bool = revision > self._revision
        self._revision = revision
        self._counts.add(num_lost_answers=moved)
        return moved

    def _sure(
        self, method: str, path: str, body: Any = None, fine: tuple[int, ...] = (200,)
    ) -> dict[str, Any]:
        """Retries a call that may be repeated until it has a response, and returns that."""
        for _ in range(_MAX_TRIES):
            if (answer := self._once(method, path, body)) is not None:
                assert answer.status_code in fine, answer.text
                found: dict[str, Any] = answer.json()
                return found
        raise AssertionError(f"{_MAX_TRIES} tries of {path} had no response")

    def _once(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """Tries a call on one server; returns None if it is unknown whether it was done."""
        try:
            answer = self._client.request(method, self._urls[self._server] + path, json=body)
        except httpx.TransportError:
            answer = None
        if answer is None or answer.status_code in (500, 503) or self._was_done(answer):
            self._counts.add(num_failed=1)
            self._server = (self._server + 1) % len(self._urls)
            return None
        self._server = self._random.randrange(len(self._urls))
        return answer

    @staticmethod
    def _was_done(answer: httpx.Response) -> bool:
        """Returns whether the session has moved since: by this call's first try."""
        return answer.status_code == 409 and answer.json()["error"]["code"] in (
            "session_moved",
            "session_busy",
        )


def _compared(answer: dict[str, Any]) -> dict[str, Any]:
    found = {name: answer.get(name) for name in _COMPARED}
    for choice in found["choices"] or ():
        assert set(choice) == {"text", "index", "finish_reason", "logprobs"}
    return found


def run_all(
    urls: Sequence[str],
    num_sessions: int,
    num_operations: int,
    num_clients: int,
    strikes: Strikes | None = None,
) -> tuple[list[list[dict[str, Any] | None]], list[dict[str, Any]], CallCounts]:
    """Returns the responses of each session's operations, its state at the end, and the counts."""
    counts, count = CallCounts(), num_operations // num_sessions

    def one(seed: int) -> tuple[list[dict[str, Any] | None], dict[str, Any]]:
        hopper = Hopper(urls, seed, counts, strikes or {})
        try:
            return hopper.run(operations(seed, count)), hopper.do("next", {}) or {}
        finally:
            hopper.close()

    with ThreadPoolExecutor(num_clients) as pool:
        found = list(pool.map(one, range(num_sessions)))
    return [answers for answers, _ in found], [end for _, end in found], counts
