"""A model of lines reads each string of an adaptive score as a line, and learns on from line to line."""

import pytest
from support.live_server import LiveServer

from nextchar.client import Client

_LINES = ["anna", "ben", "anna", "", "anna", "joanna"]


@pytest.mark.parametrize("include_end", [True, False])
def test_the_network_begins_each_line_anew(server: LiveServer, include_end: bool) -> None:
    with Client(server.url) as client:
        plain = client.score(_LINES, model="lines", include_end=include_end).data
        learned = client.score(_LINES, model="lines", include_end=include_end, adaptive=True).data
    assert [item.model_logprob for item in learned] == pytest.approx([item.logprob for item in plain])
    assert learned[4].logprob > learned[0].logprob + 1  # the third of its kind


def test_the_first_line_goes_on_after_the_context(server: LiveServer) -> None:
    with Client(server.url) as client:
        (plain,) = client.score(["na"], model="lines", context="an", include_end=True).data
        answer = client.score(["na", "anna"], model="lines", context="an", include_end=True, adaptive=True)
        (alone,) = client.score(["anna"], model="lines", include_end=True).data
    assert answer.begins_after == "context"
    assert [item.model_logprob for item in answer.data] == pytest.approx([plain.logprob, alone.logprob])


@pytest.mark.parametrize("include_end", [True, False])
def test_a_line_feed_at_the_start_of_a_line_is_a_character_of_it(
    server: LiveServer, include_end: bool
) -> None:
    """In running text it belongs to a carriage return before it."""
    texts = ["ben\r", "\nben"]
    with Client(server.url) as client:
        for model, num_chars in (("lines", [4, 4]), ("tiny", [4, 3])):
            fields = {"model": model, "include_end": include_end and model == "lines"}
            learned = client.score(texts, adaptive=True, return_chars=True, **fields).data
            assert [item.num_chars for item in learned] == num_chars
            assert ["".join(one.char or "" for one in item.chars or ()) for item in learned] == [
                "ben\n",
                "\nben"[4 - num_chars[1] :],
            ]


@pytest.mark.parametrize("include_end", [True, False])
def test_one_request_several_with_the_state_and_a_stream_are_the_same(
    server: LiveServer, include_end: bool
) -> None:
    fields = {"model": "lines", "include_end": include_end, "adaptive": True}
    with Client(server.url) as client, Client(f"grpc://{server.grpc_address}") as over_grpc:
        whole = client.score(_LINES * 3, context="an", **fields).data
        first = client.score(_LINES, context="an", return_state=True, **fields)
        rest = client.score(_LINES * 2, state=first.state, **fields)
        assert rest.begins_after == "begin"
        assert [item.logprob for item in (*first.data, *rest.data)] == [item.logprob for item in whole]
        for one in (client, over_grpc):
            assert list(one.score_stream(_LINES * 3, context="an", **fields)) == list(whole)
