"""Many prompts, many completions of each, and which of them are given."""

import json
from collections import defaultdict
from math import exp

import pytest
from support.live_server import LiveServer
from support.tiny_models import LINES, TEXT

BASE = {"model": "tiny", "prompt": "abc ", "max_tokens": 20, "seed": 7}


def complete(server: LiveServer, **fields: object) -> dict:
    answer = server.post("/v1/completions", {**BASE, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def texts(answer: dict) -> list[str]:
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(answer["choices"])))
    return [choice["text"] for choice in answer["choices"]]


def ids(text: str) -> list[int]:
    return TEXT.vocabulary.encode(text).tolist()


def test_a_list_of_prompts_is_each_of_them_alone(server: LiveServer) -> None:
    prompts = ["abc ", "", "hello", "abc "]
    alone = [texts(complete(server, prompt=prompt))[0] for prompt in prompts]
    assert texts(complete(server, prompt=prompts)) == alone
    assert texts(complete(server, prompt=[ids(prompt) for prompt in prompts])) == alone
    assert texts(complete(server, prompt=ids("hello"))) == alone[2:3]


def test_choices_of_a_seed_differ_and_come_again_whatever_n_is(server: LiveServer) -> None:
    eight = texts(complete(server, n=8))
    assert len(set(eight)) == 8
    assert texts(complete(server, n=3)) == eight[:3]
    assert texts(complete(server)) == eight[:1]


def test_choices_come_prompt_by_prompt(server: LiveServer) -> None:
    prompts = ["a", "b", "c"]
    found = texts(complete(server, prompt=prompts, n=2))
    assert found == [text for p in prompts for text in texts(complete(server, prompt=p, n=2))]


def test_usage_counts_each_prompt_once_and_all_that_was_drawn(server: LiveServer) -> None:
    usage = complete(server, prompt=["ab", "abcd"], n=2, best_of=3)["usage"]
    assert usage == {"prompt_tokens": 6, "completion_tokens": 2 * 3 * 20, "total_tokens": 126}


def test_best_of_gives_the_likeliest_a_character(server: LiveServer) -> None:
    fields = {"prompt": ["a", "b"], "logprobs": 0, "stop": "e", "max_tokens": 30}
    every = complete(server, **fields, n=6, include_stop_str_in_output=True)["choices"]
    best = complete(server, **fields, n=2, best_of=6, include_stop_str_in_output=True)["choices"]

    def mean(choice: dict) -> float:
        values = choice["logprobs"]["token_logprobs"]
        return sum(values) / len(values)

    expected = [c["text"] for k in (0, 6) for c in sorted(every[k : k + 6], key=mean, reverse=True)[:2]]
    assert [choice["text"] for choice in best] == expected


def test_streamed_choices_join_to_the_whole_ones(server: LiveServer) -> None:
    fields = {"prompt": ["abc ", "x"], "n": 3, "max_tokens": 60, "logprobs": 1, "stop": ["e"], "echo": True}
    whole = complete(server, **fields)["choices"]
    parts: dict[int, list[dict]] = defaultdict(list)
    body = {**BASE, **fields, "stream": True, "stream_options": {"include_usage": True}}
    with server.stream("/v1/completions", body) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines.pop() == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["usage"] is None for event in events] == [True] * (len(events) - 1) + [False]
    for event in events[:-1]:
        (choice,) = event["choices"]
        parts[choice["index"]].append(choice)
    assert sorted(parts) == list(range(6))
    for index, choice in enumerate(whole):
        assert "".join(part["text"] for part in parts[index]) == choice["text"]
        assert [part["finish_reason"] for part in parts[index]][-1] == choice["finish_reason"]
        for name, values in choice["logprobs"].items():
            assert [v for part in parts[index] for v in part["logprobs"][name]] == values


def test_begin_may_be_the_first_id(server: LiveServer) -> None:
    """What lm-evaluation-harness puts before a text that has nothing before it."""
    begin = TEXT.vocabulary.begin_id
    fields = {"max_tokens": 1, "echo": True, "logprobs": 1, "return_token_ids": True}
    plain = complete(server, prompt=ids("hello"), **fields)["choices"][0]
    begun = complete(server, prompt=[begin, *ids("hello")], **fields)["choices"][0]
    assert begun["text"] == plain["text"]
    assert begun["logprobs"]["token_logprobs"] == [None, *plain["logprobs"]["token_logprobs"]]
    assert begun["logprobs"]["tokens"][0] == "<|begin|>"
    assert begun["logprobs"]["text_offset"] == [0, *plain["logprobs"]["text_offset"]]
    assert begun["prompt_token_ids"] == [begin, *ids("hello")]
    assert begun["token_ids"] == ids(plain["text"][5:])


def test_prompt_logprobs_are_those_of_a_score(server: LiveServer) -> None:
    choice = complete(server, prompt="hello", max_tokens=0, prompt_logprobs=3)["choices"][0]
    body = {"model": "tiny", "input": ["hello"], "return_chars": True}
    chars = server.post("/v1/score", body).json()["data"][0]["chars"]
    for at, char, symbol_id in zip(choice["prompt_logprobs"], chars, ids("hello"), strict=True):
        assert at[str(symbol_id)] == {"logprob": char["logprob"], "decoded_token": char["char"]}
        assert 3 <= len(at) <= 4
        others = [entry["logprob"] for entry in at.values()]
        assert max(others) == max(others[:3])


def test_the_end_symbol_is_the_last_token(server: LiveServer) -> None:
    answer = complete(server, model="lines", prompt="a", max_tokens=2000, logprobs=1, return_token_ids=True)
    choice = answer["choices"][0]
    assert choice["logprobs"]["tokens"][-1] == "<|end|>"
    assert choice["logprobs"]["tokens"][:-1] == list(choice["text"])
    assert choice["logprobs"]["text_offset"][-1] == len("a" + choice["text"])
    assert choice["token_ids"][-1] == LINES.vocabulary.end_id


def test_nothing_ends_a_text_before_min_tokens(server: LiveServer) -> None:
    lengths = [
        len(text) for text in texts(complete(server, model="lines", n=50, max_tokens=200, min_tokens=40))
    ]
    assert min(lengths) >= 40
    assert min(len(text) for text in texts(complete(server, model="lines", n=50, max_tokens=200))) < 40
    for text in texts(complete(server, n=20, max_tokens=100, min_tokens=30, stop=["e", "ab"])):
        assert len(text) >= 30
        assert "e" not in text[30:]


def test_a_stop_can_be_an_id_or_be_kept(server: LiveServer) -> None:
    whole = texts(complete(server, max_tokens=60))[0]
    stop = whole[30:32]
    end = whole.index(stop)
    kept = complete(server, max_tokens=60, stop=stop, include_stop_str_in_output=True)["choices"][0]
    assert (kept["text"], kept["finish_reason"]) == (whole[: end + 2], "stop")
    by_id = complete(server, max_tokens=60, stop_token_ids=ids(stop[0]))["choices"][0]
    assert (by_id["text"], by_id["finish_reason"]) == (whole[: whole.index(stop[0])], "stop")


def test_post_sampling_logprobs_are_what_was_drawn_with(server: LiveServer) -> None:
    fields = {"logprobs": 20, "post_sampling_logprobs": True, "max_tokens": 30}
    detail = complete(server, **fields, temperature=0.5, top_k=3)["choices"][0]["logprobs"]
    own = complete(server, **fields | {"post_sampling_logprobs": False}, temperature=0.5, top_k=3)
    raw = own["choices"][0]["logprobs"]
    assert raw["tokens"] == detail["tokens"]
    for top, others in zip(detail["top_logprobs"], raw["top_logprobs"], strict=True):
        weights = {c: exp(others[c] / 0.5) for c in list(others)[:3]}
        total = sum(weights.values())
        assert {c: exp(v) for c, v in top.items()} == pytest.approx(
            {c: w / total for c, w in weights.items()}, rel=1e-5
        )
    greedy = complete(server, **fields, temperature=0)["choices"][0]["logprobs"]
    assert greedy["token_logprobs"] == [0.0] * 30
    assert all(list(top.values()) == [0.0] for top in greedy["top_logprobs"])


def test_allowed_chars_are_all_that_is_drawn(server: LiveServer) -> None:
    found = "".join(texts(complete(server, allowed_chars="xyz", n=20, temperature=2)))
    assert set(found) == set("xyz")


def test_a_request_id_is_the_completions_own(server: LiveServer) -> None:
    answer = server.post("/v1/completions", {**BASE, "request_id": "my-own"})
    assert answer.json()["id"] == "cmpl-my-own"
    assert answer.headers["x-request-id"] == "my-own"
