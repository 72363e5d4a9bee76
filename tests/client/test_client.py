"""The client returns what the server answers: over REST and gRPC, blocking and not."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.engine_lanes import Gate
from support.live_server import LiveServer
from support.waiting import until

from nextchar.client import AsyncClient, Client
from nextchar.errors import (
    InputTooLarge,
    InvalidRequest,
    ModelNotFound,
    NextcharError,
    SessionExists,
    SessionNotFound,
    StateInvalid,
    UnknownCharacter,
)
from nextchar.schemas.sessions import SessionInfo

_CHANGING = {"id", "created", "expires_at", "state_bytes", "session_id"}


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: LiveServer) -> str:
    return address(server, request.param)


def address(server: LiveServer, scheme: str) -> str:
    return server.url if scheme == "http" else f"grpc://{server.grpc_address}"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as made:
        yield made


SAMPLING: dict[str, Any] = {"max_tokens": 60, "seed": 5, "temperature": 0.8, "logprobs": 2}


def stable(answer: Any) -> dict[str, Any]:
    return {k: v for k, v in answer.model_dump(mode="json").items() if k not in _CHANGING}


def test_comparisons_ids_and_limits_are_the_servers(client: Client, server: LiveServer) -> None:
    fields = {"model": "tiny", "input": ["hello", "zz"], "reference_model": "lines", "context": "a"}
    compared = client.compare(["hello", "zz"], model="tiny", reference_model="lines", context="a")
    assert compared.model_dump(mode="json") == server.post("/v1/compare", fields).json()
    ids = client.tokenize("hello", model="tiny").tokens
    assert client.detokenize(ids, model="tiny").prompt == "hello"
    assert client.limits().request.max_strings == server.settings.max_strings


def test_answers_are_the_servers(client: Client, server: LiveServer) -> None:
    fields = {"model": "tiny", "input": ["hello", "", "a\N{SNOWMAN}\0"], "return_chars": True, "context": "x"}
    scored = client.score(fields["input"], model="tiny", return_chars=True, context="x")
    assert scored.model_dump(mode="json") == server.post("/v1/score", fields).json()
    found = client.next("hel", model="lines", top=3)
    assert (
        found.model_dump(mode="json")
        == server.post("/v1/next", {"model": "lines", "input": "hel", "top": 3}).json()
    )
    whole = server.post("/v1/completions", {"model": "tiny", "prompt": "ab", "echo": True, **SAMPLING}).json()
    answer = client.complete("ab", model="tiny", echo=True, **SAMPLING)
    assert stable(answer) == {k: v for k, v in whole.items() if k not in _CHANGING}


def test_a_stream_is_the_whole_in_parts(client: Client) -> None:
    whole = client.complete("ab", model="tiny", **SAMPLING)
    parts = list(client.stream("ab", model="tiny", stream_options={"min_event_chars": 7}, **SAMPLING))
    assert len(parts) > 3
    assert "".join(c.text for part in parts for c in part.choices) == whole.choices[0].text
    assert parts[-1].usage == whole.usage


def test_a_state_goes_out_and_comes_back(client: Client) -> None:
    first = client.next("hel", model="tiny", return_state=True)
    assert isinstance(first.state, bytes)
    again = client.next("lo", model="tiny", state=first.state)
    assert again.data == client.next("hello", model="tiny").data != first.data


def test_leaving_a_stream_ends_it_on_the_server(client: Client, server: LiveServer, gate: Gate) -> None:
    before = server.metric("nextchar_requests_total", route="complete", outcome="cancelled")
    parts = client.stream("", model="tiny", max_tokens=16_000, stream_options={"min_event_chars": 1})
    gate.let()
    next(parts)
    gate.reached()
    gate.reached()
    parts.close()

    def is_cancelled() -> bool:
        gate.let()  # over HTTP, who has left is noticed by the next event
        return server.metric("nextchar_requests_total", route="complete", outcome="cancelled") == before + 1

    until(is_cancelled)
    gate.let()
    until(server.is_idle)


@pytest.mark.parametrize("count", [0, 1, 257, 1000])
def test_any_number_of_strings_are_scored_as_they_come(client: Client, count: int) -> None:
    strings = [f"ab{n % 7}" + "c" * (n % 5) for n in range(count)]
    found = list(client.score_stream(iter(strings), model="tiny", context="é"))
    assert [item.index for item in found] == list(range(count))
    if count:
        whole = client.score(strings, model="tiny", context="é")
        assert found == whole.data


def test_a_score_stream_may_be_left(client: Client) -> None:
    endless = (f"a{n}" for n in iter(int, 1))
    answers = client.score_stream(endless, model="tiny")
    assert next(answers).index == 0
    answers.close()


def test_sessions_are_context_managers(client: Client) -> None:
    with client.session(model="tiny", prime="ab", seed=3) as session:
        fed = session.feed("cd", top=2)
        assert fed.position == 4
        assert len(fed.data or []) == 2
        assert len(session.feed("ef", returns="each").data or []) == 2
        assert session.feed("g", returns="none").data is None
        assert session.next(top=1).position == 7
        session.checkpoint("here")
        drawn = session.sample(max_tokens=9)
        assert drawn.position == 16
        assert session.rollback("here").position == 7
        text = "".join(c.text for p in session.stream(max_tokens=9, seed=4) for c in p.choices)
        assert len(text) == 9
        assert session.rewind(9).position == 7
        assert session.score(["a", "b"]).data[1].index == 1
        with session.fork() as other:
            other.feed("zz")
            state = other.export_state()
        assert session.import_state(state).position == 9
        assert session.info().checkpoints == ["here"]
        assert session.session_id in [item.session_id for item in client.list_sessions(limit=1000).data]
    with pytest.raises(SessionNotFound):
        client.open_session(session.session_id)


def test_a_kept_session_stays_and_is_opened_again(client: Client) -> None:
    with client.session(model="tiny", keep=True) as session:
        session.feed("abc")
    with client.open_session(session.session_id, keep=False) as again:
        assert again.opened.position == 3


def test_a_session_that_has_ended_may_end_again(client: Client) -> None:
    with client.session(model="tiny") as session:
        session.delete()


def test_a_session_is_the_same_over_rest_and_grpc(server: LiveServer) -> None:
    told: list[list[dict[str, Any]]] = []
    for scheme in ("http", "grpc"):
        with Client(address(server, scheme)) as client, client.session(model="lines", seed=1) as session:
            answers: list[Any] = [
                session.opened,
                session.feed("ab"),
                session.feed("cd", returns="each", top=2),
            ]
            answers += [session.checkpoint("x"), session.info(), session.sample(**SAMPLING), session.next()]
            assert isinstance(answers[0], SessionInfo)
            told.append([stable(answer) for answer in answers])
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("call", "kind", "code", "param"),
    [
        (lambda c: c.score(["a"], model="none"), ModelNotFound, "model_not_found", "model"),
        (lambda c: c.score([], model="tiny"), InvalidRequest, "invalid_value", "input"),
        (lambda c: c.score(["a"] * 3000, model="tiny"), InvalidRequest, "too_many_items", "input"),
        (lambda c: c.score(["a" * 70_000], model="tiny"), InputTooLarge, "input_too_large", "input.0"),
        (lambda c: c.score(["A"], model="refusing"), UnknownCharacter, "unknown_character", "input.0"),
        (lambda c: list(c.stream("a", model="tiny", top_p=7.0)), InvalidRequest, "invalid_value", "top_p"),
        (lambda c: c.complete("a", model="tiny", top_k=-2), InvalidRequest, "invalid_value", "top_k"),
        (lambda c: c.open_session("none"), SessionNotFound, "session_not_found", "session_id"),
        (lambda c: c.session(model="tiny", session_id="a b"), InvalidRequest, "invalid_value", "session_id"),
        (lambda c: list(c.score_stream(["a"], model="none")), ModelNotFound, "model_not_found", "model"),
    ],
)
def test_errors_are_the_servers(
    client: Client, call: Callable[[Client], Any], kind: type[NextcharError], code: str, param: str | None
) -> None:
    with pytest.raises(NextcharError) as caught:
        call(client)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.param) == (code, param)


def test_session_errors_are_the_servers(client: Client) -> None:
    with client.session(model="tiny") as session:
        with pytest.raises(SessionExists):
            client.session(model="tiny", session_id=session.session_id)
        with pytest.raises(StateInvalid):
            session.import_state(b"junk")


@pytest.mark.parametrize("fields", [{"top_k": object()}, {"temperature": float("nan")}, {"nosuch": 1}])
def test_values_that_cannot_be_sent_are_refused(client: Client, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        client.complete("a", model="tiny", **fields)


def test_the_client_that_does_not_block_returns_the_same(url: str) -> None:
    async def run() -> None:
        async with AsyncClient(url) as client:
            with Client(url) as blocking:
                scored, following, whole = await asyncio.gather(
                    client.score(["a", "b"], model="tiny"),
                    client.next("a", model="tiny"),
                    client.complete("a", model="tiny", **SAMPLING),
                )
                assert scored == blocking.score(["a", "b"], model="tiny")
                assert following == blocking.next("a", model="tiny")
                assert stable(whole) == stable(blocking.complete("a", model="tiny", **SAMPLING))
            parts = [part async for part in client.stream("a", model="tiny", **SAMPLING)]
            assert "".join(c.text for p in parts for c in p.choices) == whole.choices[0].text
            strings = [f"a{n}" for n in range(600)]
            found = [item async for item in client.score_stream(strings, model="tiny")]
            assert [item.index for item in found] == list(range(600))
            async with await client.session(model="tiny", prime="ab") as session:
                assert (await session.feed("c")).position == 3
                await session.checkpoint("x")
                assert (await session.sample(max_tokens=2)).position == 5
                assert [p async for p in session.stream(max_tokens=2)][-1].position == 7
                assert (await session.rewind(1)).position == 6
                assert (await session.rollback("x")).position == 3
                assert (await session.next(top=1)).position == 3
                assert (await session.score(["a"])).data[0].index == 0
                async with await session.fork() as other:
                    await session.import_state(await other.export_state())
                assert (await session.info()).position == 3
                assert len((await client.list_sessions()).data) >= 1
            with pytest.raises(SessionNotFound):
                await client.open_session(session.session_id)

    asyncio.run(run())


@pytest.mark.parametrize("text", ["", "127.0.0.1:8000", "ftp://x", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="url must name a host"):
        Client(text)


def test_importing_it_is_light() -> None:
    code = (
        "import sys, nextchar.client\n"
        "heavy = {'onnxruntime', 'fastapi', 'starlette', 'uvicorn', 'torch', 'numpy', 'grpc', 'httpx'}\n"
        "print(heavy & set(sys.modules))"
    )
    env = {"PYTHONPATH": str(Path(__file__).parents[2] / "server")}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert found.stdout == "set()\n"
