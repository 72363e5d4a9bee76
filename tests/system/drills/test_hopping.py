"""Two real servers over one real Valkey, clients that hop between them, and kills at chosen points.

A short run; `make drill-sessions` is the long one.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killing import Killer, planned
from support.hopping import run_all
from support.live_server import LiveServer
from support.server_process import ServerProcess, server_processes
from support.valkey_server import ValkeyServer, valkey_server

_NUM_SESSIONS = int(os.environ.get("DRILL_SESSIONS", "8"))
_NUM_OPERATIONS = int(os.environ.get("DRILL_OPERATIONS", "240"))
_NUM_KILLS = int(os.environ.get("DRILL_KILLS", "6"))  # each server at each moment
_NUM_CLIENTS = 4

Answers = list[list[dict[str, Any] | None]]
Ends = list[dict[str, Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def replicas(models: Path, store: ValkeyServer) -> Iterator[list[ServerProcess]]:
    # A connection that the server closes as a client calls would be a call without a response.
    options = ["--state-key", "k" * 32, "--max-sessions", "100000", "--keep-alive-timeout-seconds", "600"]
    with server_processes(2, models, "--session-store", store.url, *options) as servers:
        yield servers


@pytest.fixture(autouse=True)
def _no_sessions(store: ValkeyServer) -> None:
    store.flush()


@pytest.fixture(scope="module")
def expected(alone: LiveServer) -> tuple[Answers, Ends]:
    answers, ends, counts = run_all([alone.url], _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS)
    assert counts.num_lost_answers == 0
    return answers, ends


def test_a_session_whose_calls_hop_between_servers_is_where_one_server_has_it(
    replicas: list[ServerProcess], expected: tuple[Answers, Ends]
) -> None:
    started = time.monotonic()
    answers, ends, counts = run_all(
        [server.url for server in replicas], _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS
    )
    assert counts.num_failed == 0
    assert (answers, ends) == expected
    print(
        f"hopping: {counts.num_done} operations on {_NUM_SESSIONS} sessions of 2 servers in "
        f"{time.monotonic() - started:.0f} s; every answer is that of one server"
    )


def test_while_servers_are_killed_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    replicas: list[ServerProcess], expected: tuple[Answers, Ends]
) -> None:
    killer, started = Killer(replicas), time.monotonic()
    strikes, moments = planned(killer, _NUM_KILLS, _NUM_SESSIONS, _NUM_OPERATIONS)
    urls = [server.url for server in replicas]
    answers, ends, counts = run_all(urls, _NUM_SESSIONS, _NUM_OPERATIONS, _NUM_CLIENTS, strikes)
    assert killer.num_kills == _NUM_KILLS
    assert ends == expected[1]
    for seed, (found, wanted) in enumerate(zip(answers, expected[0], strict=True)):
        for place, (one, other) in enumerate(zip(found, wanted, strict=True)):
            if moments.get((seed, place)) == "after":
                assert one is None  # done, and its response lost with the server
            else:
                assert one is None or one == other
    print(
        f"killing: {counts.num_done} operations on {_NUM_SESSIONS} sessions in "
        f"{time.monotonic() - started:.0f} s, {killer.num_kills} kills; {counts.num_failed} tries had no "
        f"answer; {counts.num_lost_answers} operations were done and their answer lost; every session is "
        "where one server has it"
    )
