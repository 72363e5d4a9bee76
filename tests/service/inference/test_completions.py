import json

import pytest
from support.live_server import LiveServer
from support.tiny_models import LINES, TEXT

BASE = {"model": "tiny", "prompt": "abc ", "max_tokens": 60, "seed": 7}


def complete(server: LiveServer, **fields: object) -> dict:
    answer = server.post("/v1/completions", {**BASE, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def text_of(server: LiveServer, **fields: object) -> str:
    return complete(server, **fields)["choices"][0]["text"]


def stream(server: LiveServer, **fields: object) -> list[dict]:
    """The events of a stream, which ends with [DONE]."""
    body = {**BASE, "stream": True, **fields}
    with server.stream("/v1/completions", body) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        lines = [line for line in answer.iter_lines() if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def joined(events: list[dict]) -> str:
    return "".join(event["choices"][0]["text"] for event in events)


def test_a_completion_has_openais_shape(server: LiveServer) -> None:
    answer = complete(server)
    assert answer["id"].startswith("cmpl-")
    assert answer["object"] == "text_completion"
    assert answer["system_fingerprint"] == server.app.service.served_models.get("tiny").graph.digest
    (choice,) = answer["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "length", None)
    assert len(choice["text"]) == 60
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 60, "total_tokens": 64}


def test_the_same_seed_gives_the_same_text_and_another_another(server: LiveServer) -> None:
    assert text_of(server) == text_of(server)
    assert text_of(server) != text_of(server, seed=8)
    assert text_of(server, seed=-2) == text_of(server, seed=-2) != text_of(server, seed=2)


def test_without_a_seed_texts_differ(server: LiveServer) -> None:
    assert text_of(server, seed=None) != text_of(server, seed=None)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 0},
        {"temperature": 0.3, "top_k": 5},
        {"top_p": 0.5, "min_p": 0.1},
        {"echo": True},
        {"echo": True, "logprobs": 2},
        {"logprobs": 0},
        {"max_tokens": 0},
        {"max_tokens": 0, "echo": True, "logprobs": 1},
        {"max_tokens": 300},
        {"prompt": ""},
        {"prompt": "a\0\N{SNOWMAN}b", "echo": True},
        {"stop": "e"},
        {"model": "lines", "max_tokens": 2000},
        {"model": "bytes", "prompt": "né €", "echo": True, "logprobs": 1},
        {"model": "bytes", "max_tokens": 500, "temperature": 2},
        {"model": "bytes", "max_tokens": 99, "logprobs": 1, "stream_options": {"min_event_chars": 1}},
        {"model": "bytes", "max_tokens": 500, "stop": "é", "logit_bias": {"195": 5, "169": 5}},
    ],
)
def test_a_stream_joins_to_the_whole(server: LiveServer, fields: dict) -> None:
    whole = complete(server, **fields)
    events = stream(server, **fields)
    assert joined(events) == whole["choices"][0]["text"]
    assert events[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert all(event["choices"][0]["finish_reason"] is None for event in events[:-1])
    assert all("usage" not in event for event in events)
    if whole["choices"][0]["logprobs"]:
        for name, values in whole["choices"][0]["logprobs"].items():
            assert [v for e in events for v in e["choices"][0]["logprobs"][name]] == values


def test_the_first_character_comes_alone(server: LiveServer) -> None:
    assert len(stream(server)[0]["choices"][0]["text"]) == 1


def test_usage_comes_last_if_asked_for(server: LiveServer) -> None:
    events = stream(server, stream_options={"include_usage": True})
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == {"prompt_tokens": 4, "completion_tokens": 60, "total_tokens": 64}


def test_greedy_takes_the_likeliest_each_time(server: LiveServer) -> None:
    answer = complete(server, temperature=0, logprobs=1)
    detail = answer["choices"][0]["logprobs"]
    assert detail["token_logprobs"] == [next(iter(top.values())) for top in detail["top_logprobs"]]
    assert answer["choices"][0]["text"] == text_of(server, top_k=1, seed=99)


def test_logprobs_are_the_models_own_whatever_the_sampling(server: LiveServer) -> None:
    answer = complete(server, temperature=0.5, top_k=4, logprobs=1, echo=True)
    detail = answer["choices"][0]["logprobs"]
    text = answer["choices"][0]["text"]
    body = {"model": "tiny", "input": [text], "return_chars": True}
    chars = server.post("/v1/score", body).json()["data"][0]["chars"]
    assert detail["tokens"] == list(text)
    assert detail["token_logprobs"] == [c["logprob"] for c in chars]
    assert detail["text_offset"] == list(range(len(text)))


def test_echo_with_no_tokens_scores_the_prompt(server: LiveServer) -> None:
    """What lm-evaluation-harness sends; the first character has a number, from the begin symbol."""
    answer = complete(server, prompt="hello", max_tokens=0, echo=True, logprobs=1)
    (choice,) = answer["choices"]
    assert choice["text"] == "hello"
    assert len(choice["logprobs"]["token_logprobs"]) == 5
    assert all(value < 0 for value in choice["logprobs"]["token_logprobs"])


@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("start", [0, 1, 14, 30])
def test_a_stop_string_ends_the_text_and_is_left_out(server: LiveServer, start: int, length: int) -> None:
    whole = text_of(server)
    stop = whole[start : start + length]
    expected = whole[: whole.index(stop)]
    answer = complete(server, stop=["never there \N{SNOWMAN}", stop])
    assert answer["choices"][0]["text"] == expected
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert joined(stream(server, stop=stop)) == expected


def test_a_line_ends_with_stop_and_without_its_end_symbol(server: LiveServer) -> None:
    answer = complete(server, model="lines", prompt="", max_tokens=2000)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert set(answer["choices"][0]["text"]) <= set(LINES.vocabulary.characters)


def test_only_known_characters_are_sampled(server: LiveServer) -> None:
    assert set(text_of(server, temperature=2, max_tokens=2000)) <= set(TEXT.vocabulary.characters)


def test_null_means_the_default(server: LiveServer) -> None:
    nulls = dict.fromkeys(("temperature", "top_p", "stop", "logprobs", "stream", "stream_options"), None)
    assert text_of(server, **nulls) == text_of(server)
