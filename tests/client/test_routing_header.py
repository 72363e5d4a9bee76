"""Each call of a session says by which name a proxy finds its server."""

import pytest
from support.live_server import LiveServer

from nextchar.client import Client, operations
from nextchar.client.session_operations import SessionOperations
from nextchar.errors import InvalidRequest


def test_every_call_of_a_session_names_it() -> None:
    """Also the call that creates it."""
    created = operations.create_session("tiny", {})
    assert created.headers == {"x-session-id": created.fields["session_id"]}
    assert operations.create_session("tiny", {"session_id": "mine"}).headers == {"x-session-id": "mine"}
    completed = operations.complete("", "tiny", {"session_id": "mine"}, stream=False)
    assert completed.headers == {"x-session-id": "mine"}
    assert operations.complete("", "tiny", {}, stream=False).headers == {}


def test_a_fork_is_named_by_its_origin_whose_server_it_is_on() -> None:
    session = SessionOperations("mine")
    fork = SessionOperations("other", routed_by=session.routed_by)
    for made in (session.get(), session.fork("other"), fork.get(), fork.fork("third")):
        assert made.headers == {"x-session-id": "mine"}


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("wrong", ["é", "a b\n", "x" * 200])
def test_a_name_that_is_none_is_refused_by_the_server(server: LiveServer, scheme: str, wrong: str) -> None:
    """Not by the library that writes the header."""
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    with Client(url) as client, pytest.raises(InvalidRequest, match="session_id"):
        client.session(model="tiny", session_id=wrong)
