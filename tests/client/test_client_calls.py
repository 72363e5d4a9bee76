"""Every call of the API is a call of the client, with every field, over REST and gRPC."""

import asyncio
import base64
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from support.live_server import LiveServer

from nextchar.client import AsyncClient, Client, arguments, operations
from nextchar.client.endpoint import Endpoint
from nextchar.client.grpc_messages import call_options
from nextchar.client.rest_messages import http_request
from nextchar.errors import DeadlineExceeded, InvalidRequest, ModelNotFound, NextcharError, SessionMoved
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import (
    CheckpointRequest,
    CreateSessionRequest,
    FeedRequest,
    ImportStateRequest,
    RewindRequest,
    SampleRequest,
    SessionNextRequest,
    SessionScoreRequest,
)
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: LiveServer) -> str:
    return server.url if request.param == "http" else f"grpc://{server.grpc_address}"


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as made:
        yield made


@pytest.mark.parametrize(
    ("schema", "argument_type", "named"),
    [
        (ScoreRequest, arguments.ScoreArguments, {"model", "input"}),
        (CompareRequest, arguments.CompareArguments, {"model", "input"}),
        (NextRequest, arguments.NextArguments, {"model", "input"}),
        (InspectRequest, arguments.InspectArguments, {"model", "input"}),
        (CompletionRequest, arguments.CompletionArguments, {"model", "prompt", "stream"}),
        (TokenizeRequest, arguments.TokenizeArguments, {"model", "prompt"}),
        (DetokenizeRequest, arguments.CallArguments, {"model", "tokens"}),
        (CreateSessionRequest, arguments.CreateSessionArguments, {"model"}),
        (FeedRequest, arguments.FeedArguments, {"text", "return_"}),
        (SessionNextRequest, arguments.SessionNextArguments, set()),
        (SampleRequest, arguments.SampleArguments, {"stream"}),
        (SessionScoreRequest, arguments.SessionScoreArguments, {"input"}),
        (CheckpointRequest, arguments.ChangeArguments, {"name"}),
        (RewindRequest, arguments.RewindArguments, {"num_chars"}),
        (ImportStateRequest, arguments.ChangeArguments, {"state"}),
    ],
)
def test_every_field_of_a_request_is_an_argument(
    schema: type[BaseModel], argument_type: Any, named: set[str]
) -> None:
    assert argument_type.__annotations__.keys() | named == schema.model_fields.keys()
    assert not argument_type.__annotations__.keys() & named


def test_models_are_those_of_the_server(server: LiveServer) -> None:
    with Client(server.url) as client:
        listed = client.list_models()
        assert listed.model_dump() == server.get("/v1/models").json()
        one = client.get_model("tiny:1")
        assert one.model_dump() == server.get("/v1/models/tiny:1").json()
        assert one.card is not None
        with pytest.raises(ModelNotFound):
            client.get_model("none")


@pytest.mark.parametrize("call", [lambda c: c.list_models(), lambda c: c.get_model("tiny")])
def test_what_grpc_has_no_call_for_is_refused(server: LiveServer, call: Callable[[Client], Any]) -> None:
    with Client(f"grpc://{server.grpc_address}") as client, pytest.raises(InvalidRequest) as caught:
        call(client)
    assert caught.value.code == "not_over_grpc"
    assert "/v1/models" in caught.value.message


def test_an_inspection_is_the_servers(client: Client, server: LiveServer) -> None:
    fields = {"model": "tiny", "input": "hé", "layers": [0], "states": ["hidden"]}
    found = client.inspect("hé", model="tiny", layers=[0], states=["hidden"], timeout=30, priority=5)
    assert found.model_dump() == server.post("/v1/inspect", fields).json()


def test_states_are_base64_over_rest_alone(server: LiveServer) -> None:
    with Client(server.url) as client:
        (packed,) = client.inspect(
            "ab", model="tiny", layers=[0], states=["hidden"], encoding_format="base64"
        ).data
        (plain,) = client.inspect("ab", model="tiny", layers=[0], states=["hidden"]).data
    assert isinstance(packed.values, str)
    numbers = struct.unpack(f"<{2 * plain.num_units}f", base64.b64decode(packed.values))
    assert [value for row in plain.values for value in row] == list(numbers)
    with Client(f"grpc://{server.grpc_address}") as client, pytest.raises(InvalidRequest) as caught:
        client.inspect("ab", model="tiny", encoding_format="base64")
    assert (caught.value.code, caught.value.param) == ("unknown_field", "encoding_format")


def test_symbols_are_the_servers(client: Client, server: LiveServer) -> None:
    found = client.tokenizer_info(model="lines")
    assert found.model_dump() == server.get("/tokenizer_info?model=lines").json()
    told = client.tokenize("a", model="lines", add_special_tokens=True, return_token_strs=True)
    fields = {"model": "lines", "prompt": "a", "add_special_tokens": True, "return_token_strs": True}
    assert told.model_dump() == server.post("/tokenize", fields).json()


def test_a_renewed_session_lives_longer(client: Client) -> None:
    with client.session(model="tiny", ttl_seconds=60) as session:
        renewed = session.renew(ttl_seconds=600)
        assert renewed.ttl_seconds == 600
        assert renewed.expires_at > session.opened.expires_at + 500
        assert session.renew().ttl_seconds == 600


def test_sessions_are_listed_by_pages(client: Client) -> None:
    with client.session(model="tiny", session_id="page-1"), client.session(model="tiny", session_id="page-2"):
        first = client.list_sessions(after="page-", limit=1)
        assert [info.session_id for info in first.data] == ["page-1"]
        assert first.next_after == "page-1"
        second = client.list_sessions(after="page-1", limit=1)
        assert [info.session_id for info in second.data] == ["page-2"]


CALLS: list[Callable[[Client, Any], Any]] = [
    lambda c, of: c.score(["a"], model="tiny", **of),
    lambda c, of: list(c.score_stream(["a"], model="tiny", **of)),
    lambda c, of: c.compare(["a", "b"], model="tiny", **of),
    lambda c, of: c.next("a", model="tiny", **of),
    lambda c, of: c.complete("a", model="tiny", **of),
    lambda c, of: list(c.stream("a", model="tiny", **of)),
    lambda c, of: c.inspect("a", model="tiny", **of),
    lambda c, of: c.tokenize("a", model="tiny", **of),
    lambda c, of: c.detokenize([1], model="tiny", **of),
    lambda c, of: c.session(model="tiny", **of).delete(),
]
SESSION_CALLS: list[Callable[[Any, Any], Any]] = [
    lambda s, of: s.feed("a", **of),
    lambda s, of: s.next(**of),
    lambda s, of: s.sample(max_tokens=1, **of),
    lambda s, of: list(s.stream(max_tokens=1, **of)),
    lambda s, of: s.score(["a"], **of),
]


def test_every_call_takes_a_timeout_and_a_priority(client: Client) -> None:
    with client.session(model="tiny") as session:
        for call in CALLS:
            call(client, {"timeout": 30.0, "priority": -3})
        for session_call in SESSION_CALLS:
            session_call(session, {"timeout": 30.0, "priority": -3})


def test_a_priority_out_of_range_is_refused_by_the_server(client: Client) -> None:
    with client.session(model="tiny") as session:
        whole = [lambda call=call: call(client, {"priority": 1000}) for call in CALLS]
        whole += [lambda call=call: call(session, {"priority": 1000}) for call in SESSION_CALLS]
        for call in whole:
            with pytest.raises(InvalidRequest) as caught:
                call()
            assert caught.value.param == "priority"


def test_a_call_that_takes_longer_than_its_timeout_ends(client: Client) -> None:
    with pytest.raises(DeadlineExceeded):
        client.score(["a" * 1000] * 100, model="tiny", timeout=1e-6)


def test_the_client_waits_as_long_as_the_timeout_of_a_call() -> None:
    plain = operations.score(["a"], "m", {})
    long = operations.score(["a"], "m", {"timeout": 300.0})
    endpoint = Endpoint("http://127.0.0.1:8000")
    assert [call_options(one, endpoint, 60.0)["timeout"] for one in (plain, long)] == [60.0, 301.0]
    assert [http_request(one, 60.0)["timeout"].read for one in (plain, long)] == [60.0, 301.0]


@pytest.mark.parametrize("timeout", [-5.0, 0, "long"])
def test_a_timeout_that_is_none_is_refused_by_the_server(client: Client, timeout: Any) -> None:
    with pytest.raises(InvalidRequest):
        client.score(["a"], model="tiny", timeout=timeout)


def test_a_change_of_another_revision_is_refused(client: Client) -> None:
    with client.session(model="tiny", prime="abc") as session:
        session.checkpoint("here")
        stale = session.opened.revision
        at = session.feed("d").revision
        changes: list[Callable[[Any], Any]] = [
            lambda of: session.feed("e", if_revision=of),
            lambda of: session.sample(max_tokens=1, if_revision=of),
            lambda of: list(session.stream(max_tokens=1, if_revision=of)),
            lambda of: client.complete("e", model="tiny", session_id=session.session_id, if_revision=of),
            lambda of: session.checkpoint("there", if_revision=of),
            lambda of: session.rewind(1, if_revision=of),
            lambda of: session.rollback("here", if_revision=of),
            lambda of: session.import_state(session.export_state(), if_revision=of),
        ]
        for change in changes:
            with pytest.raises(SessionMoved):
                change(stale)
            change(at)
            at = session.info().revision


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("if_revision=0", "invalid_value", "if_revision"),
        ("if_revision=x", "invalid_value", "if_revision"),
        ("revision=1", "unknown_field", "revision"),
    ],
)
def test_the_query_of_an_import_is_checked(server: LiveServer, query: str, code: str, param: str) -> None:
    with Client(server.url) as client, client.session(model="tiny") as session:
        path = f"/v1/sessions/{session.session_id}/state"
        answer = server.request("PUT", f"{path}?{query}", content=session.export_state())
        assert answer.status_code == 400
        assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)
        assert session.info().revision == 1


def test_the_client_that_does_not_block_has_the_same_calls(url: str) -> None:
    public = {name for name in vars(AsyncClient) if not name.startswith("_")}
    assert public == {name for name in vars(Client) if not name.startswith("_")}

    async def run() -> None:
        async with AsyncClient(url) as client:
            with Client(url) as blocking:
                assert await client.inspect("ab", model="tiny") == blocking.inspect("ab", model="tiny")
                assert await client.tokenizer_info(model="tiny") == blocking.tokenizer_info(model="tiny")
                assert await client.limits() == blocking.limits()
                assert (await client.tokenize("ab", model="tiny")).count == 2
            if url.startswith("http"):
                assert (await client.get_model("tiny")).id == "tiny"
                assert "tiny" in [model.id for model in (await client.list_models()).data]
            async with await client.session(model="tiny", ttl_seconds=60) as session:
                assert (await session.renew(ttl_seconds=90)).ttl_seconds == 90
                with pytest.raises(SessionMoved):
                    await session.feed("a", if_revision=99)

    asyncio.run(run())


@pytest.mark.parametrize("last", ["\ud800", ValueError("no more")])
def test_what_the_strings_raise_is_raised_after_the_answers_before_it(
    client: Client, last: str | Exception
) -> None:
    def strings() -> Iterator[str]:
        yield from ["a"] * 300
        if isinstance(last, Exception):
            raise last
        yield last

    answers = client.score_stream(strings(), model="tiny")
    assert [next(answers).index for _ in range(256)] == list(range(256))
    with pytest.raises(InvalidRequest if isinstance(last, str) else ValueError):
        list(answers)


def test_a_score_stream_without_blocking_may_be_left_and_may_fail(url: str) -> None:
    async def run() -> None:
        async with AsyncClient(url) as client:
            answers = client.score_stream((f"a{n}" for n in iter(int, 1)), model="tiny")
            assert (await anext(answers)).index == 0
            await answers.aclose()
            with pytest.raises(NextcharError) as caught:
                [item async for item in client.score_stream(["a"] * 600, model="none")]
            assert caught.value.code == "model_not_found"

    asyncio.run(run())


def test_a_score_stream_says_why_a_later_string_is_refused(url: str) -> None:
    strings = ["a"] * 1500 + ["b" * 70_000] + ["a"] * 3000

    async def run() -> None:
        async with AsyncClient(url) as client:
            with pytest.raises(InvalidRequest) as caught:
                [item async for item in client.score_stream(strings, model="tiny")]
            assert caught.value.code == "input_too_large"

    asyncio.run(run())
