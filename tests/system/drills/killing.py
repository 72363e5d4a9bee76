"""Kills servers at chosen points of chosen calls: before it is read, while it runs, after it is done."""

import http.client
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from support.hopping import MOVING, Strike, operations
from support.live_server import TLS
from support.server_process import ServerProcess
from support.waiting import until

Moment = Literal["before", "while", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "while", "after")


class Killer:
    """Kills one server after the other, and starts it again; all others run meanwhile."""

    def __init__(self, servers: list[ServerProcess]) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self.num_kills = 0

    def strike(self, moment: Moment, path: str, body: dict[str, Any]) -> None:
        """Sends a call to a server and kills that server before the response is read.

        A server that is stopped first does not read the call, so it is never done. The call is done when
        another server shows the session's next revision.
        """
        with self._lock:
            server, other = (self._servers[(self.num_kills + k) % len(self._servers)] for k in (0, 1))
            if moment == "before":
                server.send(signal.SIGSTOP)
            with _sent(server.url, path, body):
                if moment == "after":
                    session = other.url + path.rpartition("/")[0]
                    until(lambda: _revision(session) == body["if_revision"] + 1)
                server.end()
            self.num_kills += 1
            server.start()


def _revision(session: str) -> int:
    revision: int = httpx.get(session, timeout=30, verify=TLS).json()["revision"]
    return revision


@contextmanager
def _sent(url: str, path: str, body: dict[str, Any]) -> Iterator[None]:
    """Sends a request and reads nothing."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        yield


def planned(
    killer: Killer, num_kills: int, num_sessions: int, num_operations: int
) -> tuple[dict[tuple[int, int], Strike], dict[tuple[int, int], Moment]]:
    """Spreads kills evenly over the operations that move a session; returns them and their moments."""
    places = [
        (seed, k)
        for seed in range(num_sessions)
        for k, (call, _) in enumerate(operations(seed, num_operations // num_sessions))
        if call in MOVING
    ]
    chosen = [places[(2 * k + 1) * len(places) // (2 * num_kills)] for k in range(num_kills)]
    moments = {place: MOMENTS[k % len(MOMENTS)] for k, place in enumerate(chosen)}
    assert len(moments) == num_kills
    return {place: partial(killer.strike, moment) for place, moment in moments.items()}, moments
