"""A change whose answer is lost is never done twice by the client, and never silently given up."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lossy_server import LossyServer, lossy
from support.live_server import LiveServer

from nextchar.client import AsyncClient, Client
from nextchar.client.blocking.session import Session
from nextchar.client.retries import Retries
from nextchar.errors import (
    NextcharError,
    OutcomeUnknown,
    SessionExists,
    SessionMoved,
    SessionNotFound,
    Unavailable,
)

ONCE = Retries(max_attempts=1)


@pytest.fixture(scope="module")
def door(server: LiveServer) -> Iterator[LossyServer]:
    with lossy(server.url) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_lost(door: LossyServer) -> None:
    door.meets()


@pytest.fixture
def client(door: LossyServer) -> Iterator[Client]:
    with Client(door.url, sleep=lambda _: None) as made:
        yield made


@pytest.fixture
def session(client: Client) -> Session:
    return client.session(model="tiny", prime="ab", seed=1)


MOVES: dict[str, Callable[[Session], Any]] = {
    "feed": lambda s: s.feed("x"),
    "sample": lambda s: s.sample(max_tokens=3),
    "stream": lambda s: list(s.stream(max_tokens=3)),
    "checkpoint": lambda s: s.checkpoint("there"),
    "rollback": lambda s: s.rollback("here"),
    "rewind": lambda s: s.rewind(1),
    "import_state": lambda s: s.import_state(s.export_state()),
}
moves = pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)


@moves
def test_every_call_that_moves_a_session_names_the_revision_it_moves_it_from(
    session: Session, door: LossyServer, move: Callable[[Session], Any]
) -> None:
    session.checkpoint("here")
    door.meets()
    move(session)
    move(session)
    assert [int(fields["if_revision"]) for _, fields in door.calls] == [2, 3]


@moves
def test_a_call_that_did_not_arrive_is_sent_again_and_done_once(
    session: Session, door: LossyServer, move: Callable[[Session], Any]
) -> None:
    session.checkpoint("here")
    door.meets("drop", "refuse", "drop")
    move(session)
    assert [int(fields["if_revision"]) for _, fields in door.calls] == [2] * 4
    assert session.info().revision == 3


def test_a_checkpoint_is_deleted_once_though_the_call_is_sent_again(
    session: Session, door: LossyServer
) -> None:
    session.checkpoint("here")
    door.meets("drop", "refuse", "drop")
    assert session.delete_checkpoint("here").checkpoints == []
    assert [int(fields["if_revision"]) for _, fields in door.calls] == [2] * 4
    assert session.info().revision == 3


@moves
def test_a_call_whose_answer_is_lost_is_done_once_and_reported(
    session: Session, door: LossyServer, move: Callable[[Session], Any]
) -> None:
    session.checkpoint("here")
    before = session.info()
    door.meets("lose")
    with pytest.raises(OutcomeUnknown, match="most likely done") as caught:
        move(session)
    assert [int(fields["if_revision"]) for _, fields in door.calls] == [2, 2]
    now = session.info()
    assert now.revision == caught.value.revision == before.revision + 1
    assert f"revision {now.revision}, position {now.position}" in caught.value.message
    assert move(session)
    assert session.info().revision == before.revision + 2


def test_a_refusal_after_a_lost_answer_does_not_say_that_nothing_was_done(
    session: Session, door: LossyServer
) -> None:
    door.meets("lose", "refuse", "refuse", "refuse")
    with pytest.raises(OutcomeUnknown) as caught:
        session.feed("c")
    assert isinstance(caught.value.__cause__, Unavailable)
    assert session.info().position == 3


def test_a_call_that_may_have_been_done_and_is_made_anew_is_refused_if_it_was(
    door: LossyServer,
) -> None:
    with Client(door.url, retries=ONCE) as hasty, hasty.session(model="tiny") as session:
        door.meets("lose")
        with pytest.raises(OutcomeUnknown, match="may have been done"):
            session.feed("c")
        with pytest.raises(SessionMoved, match="most likely done; this one was not"):
            session.feed("c")
        assert session.feed("d").position == 2


def test_a_call_that_may_have_been_done_and_was_not_is_made_anew(door: LossyServer) -> None:
    with Client(door.url, retries=ONCE) as hasty, hasty.session(model="tiny") as session:
        door.meets("drop")
        with pytest.raises(OutcomeUnknown):
            session.feed("c")
        assert session.info().revision == 1
        assert session.feed("c").position == 1


def test_what_another_client_moved_is_followed(session: Session, client: Client) -> None:
    other = client.open_session(session.session_id)
    other.feed("c")
    assert session.feed("d").position == 4
    assert [part.position for part in other.stream(max_tokens=2)][-1] == 6
    assert session.sample(max_tokens=1).position == 7


def test_a_revision_that_the_caller_gives_is_not_followed(session: Session, client: Client) -> None:
    client.open_session(session.session_id).feed("c")
    with pytest.raises(SessionMoved):
        session.feed("d", if_revision=1)
    assert session.info().position == 3


def test_clients_that_share_a_session_all_get_their_turn(server: LiveServer, client: Client) -> None:
    shared = client.session(model="tiny")
    together = threading.Barrier(4)

    def feed(_: int) -> None:
        with Client(server.url) as own:
            mine = own.open_session(shared.session_id)
            together.wait()
            for _ in range(10):
                mine.feed("a")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(feed, range(4)))
    assert shared.info().position == 40


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_calls_that_are_made_at_once_on_one_session_are_done_one_after_the_other(
    server: LiveServer, scheme: str
) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"

    async def run() -> None:
        async with AsyncClient(url) as client, await client.session(model="tiny") as session:
            answers = await asyncio.gather(*(session.feed("a") for _ in range(10)))
            assert [answer.position for answer in answers] == list(range(1, 11))
            assert [answer.revision for answer in answers] == list(range(2, 12))

    asyncio.run(run())


def test_threads_that_share_a_session_object_do_not_get_in_each_others_way(
    session: Session, door: LossyServer
) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: session.feed("a"), range(20)))
    assert [fields["if_revision"] for _, fields in door.calls[1:]] == list(range(1, 21))


def test_a_session_may_be_called_while_its_stream_is_read(session: Session) -> None:
    parts = session.stream(max_tokens=5, stream_options={"min_event_chars": 1})
    next(parts)
    assert session.next().position in (2, 7)
    assert session.feed("c").position in (3, 8)
    parts.close()
    assert session.feed("d").position in (4, 9)


def test_a_call_that_its_caller_gave_up_is_not_done_beside_its_second_try(
    door: LossyServer,
) -> None:
    async def run() -> None:
        async with AsyncClient(door.url) as client, await client.session(model="tiny") as session:
            door.meets("hold")
            call = asyncio.create_task(session.feed("a"))
            await asyncio.to_thread(door.held.wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            door.left.set()
            with pytest.raises(SessionMoved):
                await session.feed("a")
            assert (await session.feed("b")).position == 2

    asyncio.run(run())


def test_a_completion_is_sent_again_only_with_a_revision(
    client: Client, session: Session, door: LossyServer
) -> None:
    fields: dict[str, Any] = {"model": "tiny", "session_id": session.session_id, "max_tokens": 0}
    door.meets("lose")
    with pytest.raises(OutcomeUnknown) as caught:
        client.complete("c", **fields)
    assert (len(door.calls), caught.value.revision) == (1, None)
    door.meets("lose")
    with pytest.raises(OutcomeUnknown) as caught:
        client.complete("d", if_revision=2, **fields)
    assert (len(door.calls), caught.value.revision) == (2, 3)
    assert session.info().position == 4


def test_a_session_whose_creation_is_repeated_is_there_once(client: Client, door: LossyServer) -> None:
    before = len(client.list_sessions(limit=1000).data)
    door.meets("lose")
    session = client.session(model="tiny", prime="ab")
    assert len({fields["session_id"] for _, fields in door.calls}) == 1
    door.meets("lose")
    fork = session.fork()
    assert (fork.opened.position, fork.opened.revision) == (2, 1)
    assert len(client.list_sessions(limit=1000).data) == before + 2
    assert session.feed("c").position == fork.feed("c").position == 3


def test_a_session_of_the_callers_id_may_be_somebody_elses(client: Client, door: LossyServer) -> None:
    door.meets("lose")
    with pytest.raises(OutcomeUnknown) as caught:
        client.session(model="tiny", session_id="chosen")
    assert isinstance(caught.value.__cause__, SessionExists)
    with pytest.raises(SessionExists):
        client.session(model="tiny", session_id="chosen")


def test_a_session_that_is_deleted_twice_is_deleted(session: Session, door: LossyServer) -> None:
    door.meets("lose")
    session.delete()
    assert [call for call, _ in door.calls] == [f"DELETE /v1/sessions/{session.session_id}"] * 2
    with pytest.raises(SessionNotFound):
        session.delete()


def test_a_session_that_is_gone_is_no_unknown_outcome(
    session: Session, server: LiveServer, door: LossyServer
) -> None:
    door.meets("drop")
    server.request("DELETE", f"/v1/sessions/{session.session_id}")
    with pytest.raises(SessionNotFound):
        session.feed("c")


def test_what_changes_nothing_fails_as_before(client: Client, door: LossyServer) -> None:
    door.meets(*["lose"] * 4)  # every POST meets them
    with pytest.raises(NextcharError) as caught:
        client.complete("a", model="tiny", max_tokens=1)
    assert (type(caught.value), caught.value.code) == (Unavailable, "connection_lost")
    assert len(door.calls) == 4
