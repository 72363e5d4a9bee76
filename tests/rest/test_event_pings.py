"""A stream whose next event is long in coming says between events that it is still there."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message
from support.event_stream import EventReader

from nextchar.rest.sse import EventStream, event
from nextchar.schemas.completion import Completion


async def sent(ping_seconds: float, num_pings: int) -> list[Message]:
    """What a response sends whose second event comes after so many pings."""
    messages: list[Message] = []
    enough = asyncio.Event()
    if num_pings == 0:
        enough.set()

    async def source() -> AsyncGenerator[bytes]:
        yield event("1")
        await enough.wait()
        yield event("2")

    async def no_pieces() -> AsyncGenerator[Completion]:
        return
        yield  # a generator

    async def send(message: Message) -> None:
        messages.append(message)
        pings = [each for each in messages if each.get("body", b"").startswith(b":")]
        if len(pings) >= num_pings:
            enough.set()

    async def receive() -> Message:
        await asyncio.Event().wait()  # the client stays
        raise AssertionError("it never comes to that")

    response = EventStream(source(), no_pieces(), ping_seconds=ping_seconds)
    before = asyncio.all_tasks()
    await response({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)
    await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)  # its task has ended
    return messages


@pytest.mark.parametrize("num_pings", [0, 1, 5])
def test_pings_come_between_events(num_pings: int) -> None:
    messages = asyncio.run(asyncio.wait_for(sent(0.001 if num_pings else 1000, num_pings), 30))
    assert messages[0]["type"] == "http.response.start"
    assert [message.get("more_body") for message in messages[1:]] == [True] * (len(messages) - 2) + [False]
    reader = EventReader()
    for message in messages[1:]:
        reader.feed(message["body"])
    reader.close()
    assert reader.events == ["1", "2"]
    assert len(reader.comments) >= num_pings
    assert bool(reader.comments) == bool(num_pings)
