"""ScoreStream gives what /v1/score gives, however the strings are cut into messages."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.engine_lanes import Gate
from support.live_server import LiveServer, live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.errors import InvalidRequest
from nextchar.pb import nextchar_pb2 as pb
from nextchar.rpc.score_stream import MAX_AT_WORK, ordered_results

_TEXTS = st.text(alphabet=st.sampled_from("abc \n.éZ\N{SNOWMAN}\0"), max_size=12)


def streamed(server: LiveServer, messages: list[list[str]], **fields: object) -> list[pb.Score]:
    """The scores of messages of strings, in the order they came; every message has an answer of its own."""

    def requests() -> Iterator[pb.ScoreRequest]:
        for number, strings in enumerate(messages):
            yield pb.ScoreRequest(input=strings, **({} if number else fields))

    with server.stub() as stub:
        answers = list(stub.ScoreStream(requests(), timeout=30))
    assert [len(answer.data) for answer in answers] == [len(strings) for strings in messages]
    return [item for answer in answers for item in answer.data]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    messages=st.lists(st.lists(_TEXTS, min_size=1, max_size=9), min_size=1, max_size=7),
    context=_TEXTS,
    return_chars=st.booleans(),
)
def test_it_says_what_score_says(
    server: LiveServer, messages: list[list[str]], context: str, return_chars: bool
) -> None:
    fields = {"model": "lines", "context": context, "return_chars": return_chars, "include_end": True}
    found = streamed(server, messages, **fields)
    strings = [text for message in messages for text in message]
    with server.stub() as stub:
        whole = stub.Score(pb.ScoreRequest(input=strings, **fields))
    assert found == list(whole.data)
    answer = server.post("/v1/score", {**fields, "input": strings}).json()["data"]
    assert [item.logprob for item in found] == [item["logprob"] for item in answer]
    assert [item.index for item in found] == list(range(len(strings)))


def test_a_stream_of_nothing_ends_well(server: LiveServer) -> None:
    assert streamed(server, []) == []


@pytest.mark.parametrize(
    ("messages", "num_answers", "code", "param"),
    [
        ([{"input": ["a"]}, {"input": ["b"], "model": "lines"}], 1, "invalid_value", "model"),
        ([{"model": "none", "input": ["a"]}], 0, "model_not_found", "model"),
        ([{"model": "tiny"}], 0, "invalid_value", "input"),
        (
            [{"model": "tiny", "input": ["a"]}, {"input": ["b"], "model": "lines"}],
            1,
            "invalid_value",
            "model",
        ),
        ([{"model": "refusing", "input": ["a"]}, {"input": ["b", "A"]}], 1, "unknown_character", "input.1"),
        ([{"model": "tiny", "input": ["a"]}, {"input": ["a"] * 2049}], 1, "too_many_items", "input"),
    ],
)
def test_what_is_wrong_ends_the_stream_after_the_answers_before_it(
    server: LiveServer, messages: list[dict], num_answers: int, code: str, param: str
) -> None:
    found = []
    with server.stub() as stub:
        answers = stub.ScoreStream(iter([pb.ScoreRequest(**fields) for fields in messages]), timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            found += answers
    assert len(found) == num_answers
    assert details(caught.value)[:2] == (code, param)


@pytest.fixture
def narrow(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_waiting=8, max_bulk_lanes=1, max_lanes=1, engine_threads=1) as running:
        yield running


def test_a_full_line_is_waited_out(narrow: LiveServer, server: LiveServer, gate: Gate) -> None:
    """Messages of many tries over one engine that takes one at a time: Score would say queue_full."""
    messages = [[f"{'ab' * n}{i}" for i in range(8)] for n in range(2 * MAX_AT_WORK)]
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(streamed, narrow, messages, model="tiny")
        gate.reached()
        until(lambda: narrow.metric("nextchar_queue_depth", model="tiny") == 8)
        until(lambda: narrow.metric("nextchar_requests_in_progress", route="score") == MAX_AT_WORK)
        gate.open()
    assert found.result() == streamed(server, messages, model="tiny")
    # However often a message was tried, it is one request.
    counted = {"route": "score", "protocol": "grpc"}
    assert narrow.metric("nextchar_requests_total", **counted, outcome="success") == len(messages)
    assert narrow.metric("nextchar_requests_total", **counted) == len(messages)


def test_a_message_that_never_fits_is_refused_in_time(models: Path) -> None:
    with (
        live_server(models, max_waiting=2, request_timeout_seconds=0.1) as small,
        pytest.raises(grpc.RpcError) as caught,
    ):
        streamed(small, [["a", "b", "c"]], model="tiny")
    assert details(caught.value)[0] == "queue_full"


WORK = pb.ScoreRequest(model="tiny", input=["abc" * 90 + str(i) for i in range(30)])


def test_a_stream_that_waits_for_its_next_message_holds_nobody_up(server: LiveServer) -> None:
    stop = threading.Event()

    def requests() -> Iterator[pb.ScoreRequest]:
        yield WORK
        assert stop.wait(30)

    with server.stub() as stub:
        stream = stub.ScoreStream(requests())
        assert next(stream).data
        assert stub.Score(pb.ScoreRequest(model="tiny", input=["a"])).data
        stop.set()
        assert list(stream) == []


def test_cancelling_frees_the_rows(server: LiveServer, gate: Gate) -> None:
    with server.stub() as stub:
        stream = stub.ScoreStream(iter([WORK] * 3))
        gate.reached()
        stream.cancel()
        until(lambda: not server.metric("nextchar_requests_in_progress", route="score"))
    assert not server.is_idle()
    gate.let()
    until(server.is_idle)


def test_the_deadline_ends_the_stream_and_frees_the_rows(server: LiveServer, gate: Gate) -> None:
    for seconds in (0.2, 2, 20):  # more where the work had not begun when the time was up
        with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
            list(stub.ScoreStream(iter([WORK] * 3), timeout=seconds))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        if not server.is_idle():
            break
    until(lambda: not server.metric("nextchar_requests_in_progress", route="score"))
    assert not server.is_idle()
    gate.let()
    until(server.is_idle)


def test_works_begin_only_when_there_is_room_and_end_in_order() -> None:
    begun: list[int] = []

    async def work(number: int, gates: list[asyncio.Event]) -> int:
        begun.append(number)
        await gates[number].wait()
        return number

    async def run() -> None:
        gates = [asyncio.Event() for _ in range(10)]

        async def works() -> AsyncGenerator[Coroutine[None, None, int]]:
            for number in range(10):
                yield work(number, gates)

        results = ordered_results(works(), MAX_AT_WORK)
        for gate in reversed(gates[1:]):
            gate.set()
        first = asyncio.ensure_future(anext(results))
        for _ in range(100):  # more turns than ten works need
            await asyncio.sleep(0)
        assert begun == list(range(MAX_AT_WORK))
        gates[0].set()
        assert [await first, *[number async for number in results]] == list(range(10))

    asyncio.run(run())


def test_closing_early_cancels_what_is_at_work() -> None:
    ended: list[int] = []

    async def work(number: int) -> int:
        try:
            if number:
                await asyncio.Event().wait()
        finally:
            ended.append(number)
        return number

    async def run() -> None:
        async def works() -> AsyncGenerator[Coroutine[None, None, int]]:
            for number in range(100):
                yield work(number)

        results = ordered_results(works(), 3)
        assert await anext(results) == 0
        await asyncio.sleep(0)
        await results.aclose()
        assert sorted(ended) == list(range(len(ended)))
        assert len(ended) >= 3
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_an_error_in_asking_for_work_comes_after_the_results_before_it() -> None:
    async def done(number: int) -> int:
        return number

    async def run() -> list[int]:
        async def works() -> AsyncGenerator[Coroutine[None, None, int]]:
            yield done(1)
            yield done(2)
            raise InvalidRequest("wrong")

        results = ordered_results(works(), 3)
        found = [await anext(results), await anext(results)]
        with pytest.raises(InvalidRequest):
            await anext(results)
        return found

    assert asyncio.run(run()) == [1, 2]


_METHODS = ["Nextchar/Next", "Nextchar/Complete", "Nextchar/ScoreStream", "Sessions/Converse"]


@pytest.mark.parametrize("method", _METHODS)
def test_a_message_that_is_no_protobuf_is_the_callers_fault(server: LiveServer, method: str) -> None:
    reads = method.endswith(("Stream", "Converse"))
    path, data = f"/nextchar.v1.{method}", b"\n\x01\x10T{"
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.stream_stream(path)(iter([data])) if reads else channel.unary_stream(path)(data)
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a valid protobuf message of this method" in caught.value.details()
