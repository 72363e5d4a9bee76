"""A stop string never shows, however the text is cut into events; what only looked like one does."""

import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.event_stream import read_events
from support.live_server import LiveServer

from nextchar.pb import nextchar_pb2 as pb

# Of two letters, so that texts hold many beginnings of a stop string that come to nothing.
BASE: dict[str, Any] = {"max_tokens": 64, "seed": 11, "temperature": 2, "allowed_chars": "ab"}
CHUNKS = (1, 2, 3, 16)
_SECONDS = 60


def events(server: LiveServer, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    with server.stream(path, body) as answer:
        found = read_events(list(answer.iter_raw()))
    return [json.loads(event) for event in found if event != "[DONE]"]


def by_rest(server: LiveServer, **fields: Any) -> list[str]:
    body = {"model": "tiny", "stream": True, **fields}
    return [event["choices"][0]["text"] for event in events(server, "/v1/completions", body)]


def by_generate(server: LiveServer, **fields: Any) -> list[str]:
    body = {"text_input": "", "parameters": fields}
    return [event["text_output"] for event in events(server, "/v2/models/tiny/generate_stream", body)]


def by_grpc(server: LiveServer, **fields: Any) -> list[str]:
    with server.stub() as stub:
        pieces = stub.Complete(pb.CompletionRequest(model="tiny", **fields))
        return [piece.choices[0].text for piece in pieces]


@pytest.fixture(scope="module")
def whole(server: LiveServer) -> str:
    text: str = server.post("/v1/completions", {"model": "tiny", **BASE}).json()["choices"][0]["text"]
    assert len(text) == BASE["max_tokens"]
    return text


def stops(whole: str) -> Iterator[list[str]]:
    """Some that come, of short and long ones, alone and beside others that never do or come later."""
    rng = random.Random(7)
    for length in (1, 2, 3, 4, 7, 12, 33):
        start = rng.randrange(len(whole) - length)
        one = whole[start : start + length]
        yield [one]
        yield [one + "\N{SNOWMAN}", one, "b" * 30, whole[-length:]]
        yield [one + "\N{SNOWMAN}", whole[-8:] + "a"]  # neither comes: the text is whole


@pytest.mark.parametrize("protocol", [by_rest, by_grpc, by_generate])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_stop_string_cut_over_events_never_shows(
    server: LiveServer, whole: str, protocol: Any, chunk: int
) -> None:
    options = {"min_event_chars": chunk, "max_event_seconds": 1000}
    for stop in stops(whole):
        ends = [whole.index(text) for text in stop if text in whole]
        # That stop string ends the text which is complete first.
        first = min((whole.index(text) + len(text) for text in stop if text in whole), default=len(whole))
        expected = whole[: min(end for end in ends if end <= first)] if ends else whole
        shown = protocol(server, **BASE, stop=stop, stream_options=options)
        assert all(expected.startswith(part) for part in itertools.accumulate(shown)), (stop, shown)
        assert "".join(shown) == expected, stop


def test_what_is_held_back_is_no_more_than_it_must_be(server: LiveServer, whole: str) -> None:
    """A character that cannot begin a stop string is shown at once."""
    options = {"min_event_chars": 1, "max_event_seconds": 0}
    assert [len(text) for text in by_rest(server, **BASE, stop=["\N{SNOWMAN}"], stream_options=options)] == (
        [1] * len(whole)
    )


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_stop_of_several_bytes_never_shows(server: LiveServer, chunk: int) -> None:
    """A model of bytes draws them one by one, so that an event could end inside a character of the stop."""
    fields = BASE | {"model": "bytes", "logit_bias": {"195": 30, "169": 30, "101": 29}, "allowed_chars": None}
    text = server.post("/v1/completions", fields).json()["choices"][0]["text"]
    stop = "éee"
    assert text.index(stop) > 0
    ended = server.post("/v1/completions", {**fields, "stop": stop}).json()["choices"][0]
    assert (ended["text"], ended["finish_reason"]) == (text[: text.index(stop)], "stop")
    options = {"min_event_chars": chunk, "max_event_seconds": 1000}
    shown = by_rest(server, **fields, stop=[stop], stream_options=options)
    assert "".join(shown) == text[: text.index(stop)]
