"""Upgrades and crashes behind a real proxy over a real Valkey, by the chart's numbers, under session clients.

One replica here; `make upgrade-drill` replaces three and kills three, and prints what it counted.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chart_numbers import chart_numbers
from replicas import Deployment, deployment
from session_clients import SessionClient, at_work, session_clients
from support.valkey_server import valkey_server

_REPLICAS = 3
_ROUNDS = int(os.environ.get("UPGRADE_ROUNDS", "1"))
_CLIENTS = 4


@dataclass
class Service:
    """Three replicas behind one address."""

    url: str
    deployment: Deployment


@pytest.fixture(scope="module")
def service(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("upgrade")
    with (
        valkey_server(folder) as valkey,
        deployment(folder, models, valkey.url, chart_numbers(), _REPLICAS + 1) as (proxy, made),
    ):
        made.scale_up(_REPLICAS)
        yield Service(proxy.url, made)


def test_a_rolling_restart_fails_no_request_and_loses_no_character(service: Service) -> None:
    with session_clients(service.url, "rolling", _CLIENTS) as clients:
        with at_work(clients) as work:
            for _ in range(_ROUNDS):
                service.deployment.replace_oldest(work.go_on)
        _report("rolling restart", clients, service)
        assert [failure for client in clients for failure in client.failures] == []
        _all_is_there(clients)


def test_a_killed_replica_fails_only_what_it_had_and_every_session_goes_on(service: Service) -> None:
    with session_clients(service.url, "killed", _CLIENTS) as clients:
        with at_work(clients) as work:
            kills = []
            for _ in range(_ROUNDS):
                work.go_on()
                kills.append(service.deployment.kill_oldest())
        _report("SIGKILL", clients, service)
        for client in clients:
            for failure in client.failures:
                had_it = [
                    failure.replica in (kill.replica, None)
                    and failure.started <= kill.removed
                    and failure.ended >= kill.killed
                    for kill in kills
                ]
                assert any(had_it), failure  # HAProxy names none where it ends a connection without an answer
        _all_is_there(clients)


def _all_is_there(clients: list[SessionClient]) -> None:
    """Position and distribution are those of the whole text, bit for bit."""
    for client in clients:
        assert client.position() == len(client.text)
        assert client.distribution() == client.reference()


def _report(name: str, clients: list[SessionClient], service: Service) -> None:
    seconds = sorted(second for client in clients for second in client.seconds)
    num_failures = sum(len(client.failures) for client in clients)
    num_chars = sum(len(client.text) for client in clients)
    p99, longest = seconds[int(0.99 * len(seconds))], seconds[-1]
    stops = ", ".join(f"{stop:.1f}" for stop in service.deployment.stop_seconds)
    print(
        f"{name}: {_ROUNDS} of {_REPLICAS} replicas, {len(clients)} clients: {len(seconds)} calls answered, "
        f"{num_failures} failed, {num_chars} characters, p99 {1000 * p99:.0f} ms, longest {longest:.2f} s; "
        f"replicas stopped in {stops} s"
    )
