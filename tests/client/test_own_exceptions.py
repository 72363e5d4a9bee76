"""What a caller's iterable raises reaches the caller as it is, after the scores of the strings before it."""

import asyncio
from collections.abc import Iterator

import grpc
import httpx
import pytest
from support.live_server import LiveServer

from nextchar.client import AsyncClient, Client
from nextchar.errors import QueueFull

NUM_BEFORE = 600  # of which two whole messages and a part of one are made


class Own(Exception):
    """Knows nothing of the client."""


class OwnBase(BaseException):
    """Is no Exception, as KeyboardInterrupt is not."""


RAISED = [
    Own("mine"),
    OwnBase("mine"),
    KeyboardInterrupt(),
    SystemExit(3),
    asyncio.CancelledError(),
    GeneratorExit(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    QueueFull("mine"),
    grpc.RpcError("mine"),
    httpx.ReadError("mine"),
]


def strings(error: BaseException, num_before: int) -> Iterator[str]:
    for _ in range(num_before):
        yield "a"
    raise error


@pytest.fixture(scope="module", params=["http", "grpc"])
def url(server: LiveServer, request: pytest.FixtureRequest) -> str:
    return server.url if request.param == "http" else f"grpc://{server.grpc_address}"


@pytest.mark.parametrize("num_before", [0, 1, NUM_BEFORE])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_a_blocking_client_raises_it(url: str, error: BaseException, num_before: int) -> None:
    found = []
    with Client(url) as client, pytest.raises(type(error)) as caught:
        found += client.score_stream(strings(error, num_before), model="tiny")
    assert caught.value is error


@pytest.mark.parametrize("num_before", [0, 1, NUM_BEFORE])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_asynchronous_client_raises_it(url: str, error: BaseException, num_before: int) -> None:
    found: list[int] = []
    caught: list[BaseException] = []

    async def run() -> None:
        async with AsyncClient(url) as client:
            try:
                async for score in client.score_stream(strings(error, num_before), model="tiny"):
                    found.append(score.index)  # noqa: PERF401 what came before the error counts
            except BaseException as raised:  # noqa: BLE001 it is what is tested
                caught.append(raised)

    asyncio.run(run())
    assert len(caught) == 1
    assert caught[0] is error
    assert found == list(range(NUM_BEFORE // 256 * 256 if num_before == NUM_BEFORE else 0))


def test_what_is_no_string_is_the_callers_error_too(url: str) -> None:
    with Client(url) as client, pytest.raises(TypeError):
        list(client.score_stream(["a", 7], model="tiny"))  # type: ignore[list-item]
