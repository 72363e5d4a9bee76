"""Two real servers over one real Valkey, clients that hop between them, a server killed again and again.

A short run; `make drill-sessions` is the long one.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.hopping import run_all
from support.live_server import LiveServer, live_server
from support.server_process import ServerProcess, server_processes
from support.valkey_server import valkey_server

_NUM_SESSIONS = int(os.environ.get("DRILL_SESSIONS", "8"))
_NUM_OPERATIONS = int(os.environ.get("DRILL_OPERATIONS", "240"))
_KILL_SECONDS = float(os.environ.get("DRILL_KILL_SECONDS", "0.3"))
_NUM_CLIENTS = 4
_MIN_KILLS = 3


@pytest.fixture(scope="module")
def alone(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as server:
        yield server


@pytest.fixture(scope="module")
def replicas(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServerProcess]]:
    with valkey_server(tmp_path_factory.mktemp("drill")) as store:
        arguments = ["--session-store", store.url, "--state-key", "k" * 32]
        with server_processes(2, models, arguments) as servers:
            store.flush()
            yield servers


@pytest.fixture(autouse=True)
def _nothing_left(replicas: list[ServerProcess]) -> Iterator[None]:
    import httpx

    yield
    for k in range(_NUM_SESSIONS):
        assert httpx.delete(f"{replicas[0].url}/v1/sessions/s{k}", timeout=30).status_code == 204


@pytest.fixture(scope="module")
def expected(alone: LiveServer) -> object:
    answers, ends, tally = run_all([alone.url], _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS)
    assert tally.num_failed == 0
    return answers, ends


def test_hopping_is_staying(replicas: list[ServerProcess], expected: object) -> None:
    urls = [server.url for server in replicas]
    started = time.monotonic()
    answers, ends, tally = run_all(urls, _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS)
    assert tally.num_failed == 0
    assert (answers, ends) == expected
    print(
        f"hopping: {tally.num_done} operations on {_NUM_SESSIONS} sessions of 2 servers in "
        f"{time.monotonic() - started:.0f} s; every answer is that of one server"
    )


@contextmanager
def _killing(servers: list[ServerProcess]) -> Iterator[list[int]]:
    """Kill one server after the other, and start it again, for as long as the context lasts."""
    stop, kills = threading.Event(), [0]

    def run() -> None:
        while not stop.wait(_KILL_SECONDS):
            server = servers[kills[0] % len(servers)]
            server.end()
            kills[0] += 1
            server.start()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield kills
    finally:
        stop.set()
        thread.join()


def test_while_servers_are_killed_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    replicas: list[ServerProcess], expected: tuple[list[list[object]], list[object]]
) -> None:
    urls = [server.url for server in replicas]
    started = time.monotonic()
    with _killing(replicas) as kills:
        answers, ends, tally = run_all(urls, _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS)
        seconds = time.monotonic() - started
        while kills[0] < _MIN_KILLS:
            time.sleep(0.01)
    assert ends == expected[1]
    for found, wanted in zip(answers, expected[0], strict=True):
        for one, other in zip(found, wanted, strict=True):
            assert one is None or one == other  # None: done, and its answer lost with the server
    assert tally.num_failed > 0
    print(
        f"killing: {tally.num_done} operations on {_NUM_SESSIONS} sessions in {seconds:.0f} s, {kills[0]} "
        f"kills; {tally.num_failed} tries had no answer, {tally.num_lost_answers} of them were "
        "done; every session is where one server has it"
    )
