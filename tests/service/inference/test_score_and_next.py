import math

import numpy as np
import pytest
from support.live_server import LiveServer
from support.tiny_models import LINES, TEXT

from nextchar.model.golden import score_strings

STRINGS = ["hello", "", "a", "abc abc abc", "h\0i", "\N{SNOWMAN}", "x" * 500]


def score(server: LiveServer, texts: list[str], **fields: object) -> list[dict]:
    answer = server.post("/v1/score", {"model": "tiny", "input": texts, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def next_of(server: LiveServer, text: str, **fields: object) -> dict:
    answer = server.post("/v1/next", {"model": "tiny", "input": text, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_scores_are_those_of_the_plain_loop_bit_for_bit(server: LiveServer) -> None:
    graph = TEXT.step()
    expected = score_strings(graph, [graph.vocabulary.encode(text) for text in STRINGS])
    assert [item["logprob"] for item in score(server, STRINGS)] == expected


def test_a_string_scores_the_same_alone(server: LiveServer) -> None:
    together = score(server, STRINGS)
    for item, text in zip(together, STRINGS, strict=True):
        (alone,) = score(server, [text])
        assert {**alone, "index": item["index"]} == item


def test_a_score_tells_its_sizes_and_means(server: LiveServer) -> None:
    (item,) = score(server, ["h\0i\N{SNOWMAN}"])
    assert (item["num_chars"], item["num_unknown"]) == (4, 2)
    assert item["bits_per_char"] == pytest.approx(-item["logprob"] / math.log(2) / 4)
    assert item["perplexity"] == pytest.approx(2 ** item["bits_per_char"])
    assert "chars" not in item
    assert "percentile" not in item


def test_an_empty_string_is_certain(server: LiveServer) -> None:
    (item,) = score(server, [""])
    assert (item["logprob"], item["bits_per_char"], item["perplexity"]) == (0, 0, 1)


def test_the_characters_of_a_score_sum_to_it(server: LiveServer) -> None:
    (item,) = score(server, ["hello\N{SNOWMAN}"], return_chars=True)
    assert "".join(c["char"] for c in item["chars"]) == "hello\N{SNOWMAN}"
    assert [c["offset"] for c in item["chars"]] == list(range(6))
    assert math.fsum(c["logprob"] for c in item["chars"]) == item["logprob"]


def test_a_score_is_the_sum_of_what_next_gives_step_by_step(server: LiveServer) -> None:
    text = "hello there"
    steps = [
        next(c["logprob"] for c in next_of(server, text[:k])["data"] if c["char"] == text[k])
        for k in range(len(text))
    ]
    (item,) = score(server, [text])
    assert sum(steps) == pytest.approx(item["logprob"], abs=1e-5)


def test_a_context_conditions_and_is_not_scored(server: LiveServer) -> None:
    whole, context = score(server, ["abc hello", "abc "])
    (item,) = score(server, ["hello"], context="abc ")
    assert item["logprob"] == pytest.approx(whole["logprob"] - context["logprob"], abs=1e-9)
    assert item["num_chars"] == 5


def test_include_end_adds_the_end_symbol(server: LiveServer) -> None:
    body = {"model": "lines", "input": ["abc"], "return_chars": True}
    without = server.post("/v1/score", body).json()["data"][0]
    with_end = server.post("/v1/score", {**body, "include_end": True}).json()["data"][0]
    assert with_end["chars"][:3] == without["chars"]
    assert with_end["chars"][3]["special"] == "end"
    assert with_end["chars"][3]["char"] is None
    assert with_end["num_chars"] == 3
    assert with_end["logprob"] < without["logprob"]
    assert with_end["bits_per_char"] == pytest.approx(-with_end["logprob"] / math.log(2) / 4)


def test_whole_line_probabilities_are_a_distribution(server: LiveServer) -> None:
    """p of every string of at most two characters, and of all longer ones, is 1."""
    characters = list(LINES.vocabulary.characters)
    unknown = "\N{SNOWMAN}"
    ones = [*characters, unknown]
    short = ["", *ones, *(a + b for a in ones for b in ones)]
    body = {"model": "lines", "input": short}
    ended = server.post("/v1/score", {**body, "include_end": True}).json()["data"]
    open_ended = server.post("/v1/score", body).json()["data"]
    longer = [
        math.exp(o["logprob"]) - math.exp(e["logprob"])
        for o, e, text in zip(open_ended, ended, short, strict=True)
        if len(text) == 2
    ]
    total = math.fsum(math.exp(e["logprob"]) for e in ended) + math.fsum(longer)
    assert total == pytest.approx(1, abs=1e-6)


def test_next_is_the_whole_distribution_sorted(server: LiveServer) -> None:
    answer = next_of(server, "hel")
    data = answer["data"]
    assert len(data) == TEXT.vocabulary.num_outputs
    probabilities = np.array([c["probability"] for c in data])
    assert probabilities.sum() == pytest.approx(1)
    assert (np.diff(probabilities) <= 0).all()
    assert answer["entropy_bits"] == pytest.approx(-(probabilities * np.log2(probabilities)).sum())
    assert {c["char"] for c in data} == {*TEXT.vocabulary.characters, None}
    assert [c["special"] for c in data if c["char"] is None] == ["unknown"]


def test_top_gives_the_first_of_them(server: LiveServer) -> None:
    assert next_of(server, "hel", top=3)["data"] == next_of(server, "hel")["data"][:3]
    assert next_of(server, "", top=10_000)["data"] == next_of(server, "")["data"]


def test_usage_counts_characters(server: LiveServer) -> None:
    body = {"model": "tiny", "input": ["hello", "ab"], "context": "xyz"}
    assert server.post("/v1/score", body).json()["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 0,
        "total_tokens": 10,
    }
