"""Behind a proxy that hashes the names of sessions, three servers with sessions in memory are as one."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from affinity_proxies import RECIPES, Affinity, proxied
from support.live_server import TLS
from support.server_process import ServerProcess, server_processes

from nextchar.client import Client
from nextchar.errors import NextcharError
from nextchar.pb import nextchar_pb2, nextchar_pb2_grpc

_SESSIONS = 40


@pytest.fixture(scope="module")
def servers(models: Path) -> Iterator[list[ServerProcess]]:
    with server_processes(3, models, "--session-store", "memory:") as running:
        yield running


@pytest.fixture(scope="module", params=sorted(RECIPES))
def affinity(
    request: pytest.FixtureRequest, servers: list[ServerProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Affinity]:
    with proxied(request.param, tmp_path_factory.mktemp(request.param), servers) as running:
        yield running


@pytest.fixture(params=["rest", "grpc"])
def client(request: pytest.FixtureRequest, affinity: Affinity) -> Iterator[Client]:
    url = affinity.url if request.param == "rest" else f"grpc://{affinity.grpc_address}"
    with Client(url) as made:
        yield made


def num_sessions(server: ServerProcess) -> int:
    answer = httpx.get(f"{server.url}/v1/sessions", params={"limit": 1000}, verify=TLS)
    return len(answer.json()["data"])


def test_our_client_loses_no_session(client: Client, affinity: Affinity) -> None:
    before = [num_sessions(server) for server in affinity.servers]
    sessions = [client.session(model="tiny", keep=True) for _ in range(_SESSIONS)]
    made = [num_sessions(server) - count for server, count in zip(affinity.servers, before, strict=True)]
    assert sum(made) == _SESSIONS
    assert all(made)  # they are spread over all servers
    for session in sessions:
        assert session.feed("he").position == 2
        assert client.open_session(session.session_id).info().position == 2
        done = client.complete("", model="tiny", session_id=session.session_id, max_tokens=2, temperature=0)
        assert done.choices
        session.delete()


def test_a_fork_goes_on_where_its_session_is(client: Client) -> None:
    for _ in range(10):
        with client.session(model="tiny") as session, session.fork() as fork, fork.fork() as second:
            assert fork.feed("a").position == second.feed("b").position == 1


def test_curl_names_the_session_once_and_every_path_finds_it(affinity: Affinity) -> None:
    with httpx.Client(base_url=affinity.url, verify=TLS, timeout=60) as curl:
        for i in range(_SESSIONS):
            named = {"X-Session-Id": f"curl-{i}"}
            made = curl.post("/v1/sessions", json={"model": "tiny"}, headers=named)
            assert (made.status_code, made.json()["session_id"]) == (201, f"curl-{i}")
            fed = curl.post(f"/v1/sessions/curl-{i}/feed", json={"text": "hello"})
            assert (fed.status_code, fed.json()["position"]) == (200, 5)
            assert curl.get(f"/v1/sessions/curl-{i}").json()["position"] == 5
            assert curl.delete(f"/v1/sessions/curl-{i}").is_success


def test_over_grpc_the_metadata_names_the_session_with_every_call(affinity: Affinity) -> None:
    with grpc.insecure_channel(affinity.grpc_address) as channel:
        sessions = nextchar_pb2_grpc.SessionsStub(channel)
        for i in range(_SESSIONS):
            name = f"grpc-{i}-{secrets.token_hex(4)}"
            named = (("x-session-id", name),)
            made = sessions.Create(nextchar_pb2.CreateSessionRequest(model="tiny"), metadata=named)
            assert made.session_id == name
            feed = nextchar_pb2.FeedRequest(session_id=made.session_id, text="hello")
            assert sessions.Feed(feed, metadata=named).position == 5


def test_a_sequence_goes_on_by_the_header(affinity: Affinity) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
    with httpx.Client(base_url=affinity.url, verify=TLS, timeout=60) as curl:
        for i in range(10):
            for step, text in enumerate(("he", "llo", " there")):
                named = {"sequence_id": f"s{i}", "sequence_start": step == 0, "sequence_end": step == 2}
                body = {"inputs": [{**tensor, "data": [text]}], "parameters": named}
                headers = {"X-Session-Id": f"sequence-{i}"}
                answer = curl.post("/v2/models/tiny/infer", json=body, headers=headers)
                assert answer.status_code == 200, answer.text


def test_a_session_that_no_server_has_is_told(client: Client) -> None:
    with pytest.raises(NextcharError) as raised:
        client.open_session("nobody")
    assert raised.value.code == "session_not_found"
