"""Every kind of completion goes through the client, over REST and gRPC."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.live_server import LiveServer

from nextchar.client import Client
from nextchar.errors import InvalidRequest

_CHANGING = {"id", "created"}
FIELDS: dict[str, Any] = {"model": "tiny", "max_tokens": 12, "seed": 5}


@pytest.fixture(params=["http", "grpc"])
def client(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Client]:
    url = server.url if request.param == "http" else f"grpc://{server.grpc_address}"
    with Client(url) as made:
        yield made


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": ["ab", "cd"], "n": 2},
        {"prompt": ["ab", ""], "logprobs": 2, "echo": True},
        {"prompt": [3, 4, 5], "logprobs": 1, "echo": True},
        {"prompt": [[3, 4], [5]]},
        {"prompt": "ab", "n": 2, "best_of": 3},
        {"prompt": "ab", "regex": "[ab]+", "return_token_ids": True},
        {"prompt": "ab", "prompt_logprobs": 1},
        {"prompt": "ab", "allowed_chars": "abc", "logprobs": 0},
    ],
)
def test_the_answer_is_the_servers(client: Client, server: LiveServer, fields: dict[str, Any]) -> None:
    told = server.post("/v1/completions", {**FIELDS, **fields}).json()
    answer = client.complete(**FIELDS, **fields).model_dump(mode="json")
    assert {k: v for k, v in answer.items() if k not in _CHANGING} == {
        k: v for k, v in told.items() if k not in _CHANGING
    }


def test_a_stream_of_several_is_joined_by_index(client: Client) -> None:
    whole = client.complete(["ab", "cd"], n=2, **FIELDS)
    texts = {choice.index: "" for choice in whole.choices}
    for piece in client.stream(["ab", "cd"], n=2, **FIELDS):
        for choice in piece.choices:
            texts[choice.index] += choice.text
    assert texts == {choice.index: choice.text for choice in whole.choices}


def test_grpc_refuses_to_obfuscate_rather_than_not_to_do_it(server: LiveServer) -> None:
    options = {"include_obfuscation": True}
    with (
        Client(f"grpc://{server.grpc_address}") as client,
        pytest.raises(InvalidRequest, match="obfuscation"),
    ):
        list(client.stream("a", model="tiny", stream_options=options))
    with Client(server.url) as client:
        assert len(
            "".join(p.text for part in client.stream("a", stream_options=options) for p in part.choices)
        )
