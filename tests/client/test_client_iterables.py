"""What the caller's own strings raise is raised to the caller, over either protocol."""

import asyncio
from collections.abc import Iterator

import pytest
from support.live_server import LiveServer

from nextchar.client import AsyncClient, Client
from nextchar.schemas.score import Score


class Stopped(BaseException):
    """Is no Exception, as an interrupt of the keyboard is none."""


def strings(count: int, error: BaseException) -> Iterator[str]:
    yield from ["ab"] * count
    raise error


@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("kind", [ValueError, Stopped, asyncio.CancelledError])
@pytest.mark.parametrize("count", [0, 3, 600])
def test_an_exception_of_the_strings_is_raised_as_it_is(
    server: LiveServer, scheme: str, kind: type[BaseException], count: int
) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    error = kind("mine")
    with Client(url) as client, pytest.raises(kind) as caught:
        list(client.score_stream(strings(count, error), model="tiny"))
    assert caught.value is error

    async def scored() -> list[Score]:
        async with AsyncClient(url) as client:
            return [score async for score in client.score_stream(strings(count, error), model="tiny")]

    if kind is ValueError:  # an event loop has ways of its own with the others
        with pytest.raises(kind) as caught:
            asyncio.run(scored())
        assert caught.value is error
