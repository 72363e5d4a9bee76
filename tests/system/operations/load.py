"""Clients that do everything a server measures, until told to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from support.live_server import LiveServer

from nextchar.pb import nextchar_pb2 as pb


class Load:
    """One client a kind of call, each over and over. `failures` are answers that should not have been."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self._client = httpx.Client(base_url=server.url, timeout=30)
        self.failures: list[str] = []
        self.num_rounds = 0

    @contextmanager
    def running(self) -> Iterator["Load"]:
        works = (self._scores, self._completes, self._sessions, self._is_wrong, self._leaves, self._over_grpc)
        threads = [threading.Thread(target=self._repeat, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
            self._client.close()

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told by the test
                self.failures.append(repr(error))
                return
            self.num_rounds += 1

    def _post(self, path: str, expected: int = 200, **body: object) -> httpx.Response:
        answer = self._client.post(path, json=body)
        if answer.status_code != expected:
            self.failures.append(f"{path}: {answer.status_code} {answer.text}")
        return answer

    def _scores(self) -> None:
        self._post("/v1/score", model="tiny", input=["hello", "ab\0c", "the end"], context="ab")
        self._post("/v1/score", model="tiny", input=["hello"])
        self._post("/v1/score", model="tiny", input=["hello", "hello"], adaptive=True)
        self._post("/v1/next", model="tiny", input="abc")
        self._post("/v1/judge", judge="words", input=["hello", "xyxyxyxy"])

    def _completes(self) -> None:
        self._post("/v1/completions", model="tiny", prompt="ab", max_tokens=200)
        self._post("/v1/completions", model="tiny", prompt="ab", max_tokens=200, stream=True)

    def _sessions(self) -> None:
        path = "/v1/sessions"
        session = self._post(path, 201, model="tiny", prime="ab").json()["session_id"]
        for call in ("feed", "next", "sample", "fork"):
            body = {"feed": {"text": "abc"}, "sample": {"max_tokens": 20}}.get(call, {})
            self._post(f"{path}/{session}/{call}", 201 if call == "fork" else 200, **body)
        self._client.get(path)
        self._client.delete(f"{path}/{session}")
        self._post(f"{path}/{session}/next", 404)

    def _is_wrong(self) -> None:
        self._post("/v1/score", 404, model="none", input=["a"])
        self._post("/v1/score", 400, model="tiny")

    def _leaves(self) -> None:
        body = {"model": "tiny", "max_tokens": 16_000, "stream": True}
        with self._client.stream("POST", "/v1/completions", json=body) as answer:
            next(answer.iter_lines())

    def _over_grpc(self) -> None:
        with self._server.stub() as stub:
            stub.Next(pb.NextRequest(model="tiny", input="abc"))
            list(stub.Complete(pb.CompletionRequest(model="tiny", max_tokens=50)))
