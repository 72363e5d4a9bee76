"""What is sampled under a pattern matches it, and is drawn as the model would draw it."""

import itertools
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from math import exp

import httpx
import pytest
from support.live_server import LiveServer
from support.tiny_models import BYTES, LINES, TEXT

from nextchar.pb import nextchar_pb2 as pb
from nextchar.security import principal
from nextchar.service.inference import regex_compiler

COMPLETE = "/v1/completions"
PATTERNS = [
    "[a-z]+",
    "[a-z]{3,5}",
    "(abc|abd|xyz)*",
    "a|b|c",
    "hello",
    "hel+o",
    "[^a-z]+",
    ".*",
    ".{7}",
    r"[a-z]+\.[a-z]{2,3}",
    "[a-z]+( [a-zé]+){2}",
    "(?i)NO|YES",
    r"\n\n",
    "((a|b)c?){2,4}d",
    "é{1,3}",
    r"\p{L}+[.,]",
    "(a*)(b*)(c*)",
    "[aeiou][^aeiou]([aeiou][^aeiou])*",
    "(a|ab)(c|bcd)(d*)",
    "^[a-f]{2}( [a-f]{2})*$",
]


def sampled(server: LiveServer, **fields: object) -> list[dict]:
    answer = server.post(COMPLETE, {"model": "tiny", "max_tokens": 24, "seed": 1, **fields})
    assert answer.status_code == 200, answer.text
    choices: list[dict] = answer.json()["choices"]
    assert len(choices) == fields.get("n", 1)
    return choices


@pytest.mark.parametrize("model", ["tiny", "lines", "bytes"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_text_matches(server: LiveServer, model: str, pattern: str) -> None:
    if model == "lines" and r"\n" in pattern:
        pytest.skip("a line has no line feed")
    inline = pattern.replace(r"\p{L}", r"[^\W\d_]")
    for temperature in (0, 2):
        for choice in sampled(server, model=model, regex=pattern, n=8, temperature=temperature):
            assert re.fullmatch(inline, choice["text"]), choice
            assert len(choice["text"].encode() if model == "bytes" else choice["text"]) <= 24


def test_a_text_that_can_only_end_ends_with_stop(server: LiveServer) -> None:
    (choice,) = sampled(server, regex="[a-z]{5}")
    assert (len(choice["text"]), choice["finish_reason"]) == (5, "stop")
    (choice,) = sampled(server, regex="[a-z]+", max_tokens=5)
    assert (len(choice["text"]), choice["finish_reason"]) == (5, "length")


def test_what_would_be_cut_is_not_begun(server: LiveServer) -> None:
    """Two characters are left, so that only what still fits is drawn."""
    found = {c["text"] for c in sampled(server, regex="ab|cdefgh|x", max_tokens=2, n=64, temperature=2)}
    assert found == {"ab", "x"}


def test_long_texts_match_over_chunks_and_streams(server: LiveServer) -> None:
    pattern = "([a-e]{3} ){300}[f-j]{2}"
    (whole,) = sampled(server, regex=pattern, max_tokens=1500)
    assert re.fullmatch(pattern, whole["text"])
    assert len(whole["text"]) > 1000
    with server.stub() as stub:
        message = pb.CompletionRequest(model="tiny", max_tokens=1500, seed=1, regex=pattern)
        assert "".join(piece.choices[0].text for piece in stub.Complete(message)) == whole["text"]


def test_patterns_side_by_side_are_each_alone(server: LiveServer) -> None:
    alone = [sampled(server, regex=p, temperature=1.3)[0]["text"] for p in PATTERNS[:6]]
    with ThreadPoolExecutor(6) as pool:
        again = list(pool.map(lambda p: sampled(server, regex=p, temperature=1.3)[0]["text"], PATTERNS[:6]))
    assert again == alone


def conditional(server: LiveServer, pattern: str, max_tokens: int, model: str) -> dict[str, float]:
    """By enumeration: each character among those with which the text can still match."""
    vocabulary = {"tiny": TEXT, "lines": LINES}[model].vocabulary
    alphabet = sorted(set("abcd") & set(vocabulary.characters))
    every = ["".join(t) for k in range(max_tokens + 1) for t in itertools.product(alphabet, repeat=k)]
    matching = {text for text in every if re.fullmatch(pattern, text)}
    shares: dict[str, float] = {}

    def walk(text: str, share: float) -> None:
        may = [c for c in alphabet if any(t.startswith(text + c) for t in matching)]
        ends = text in matching
        if not may or len(text) == max_tokens:
            shares[text] = shares.get(text, 0.0) + share
            return
        data = server.post("/v1/next", {"model": model, "input": text}).json()["data"]
        p = {entry["char"]: exp(entry["logprob"]) for entry in data if "special" not in entry}
        end = next((exp(e["logprob"]) for e in data if e.get("special") == "end"), 0.0) if ends else 0.0
        total = sum(p[c] for c in may) + end
        if end:
            shares[text] = shares.get(text, 0.0) + share * end / total
        for c in may:
            walk(text + c, share * p[c] / total)

    walk("", 1.0)
    return shares


@pytest.mark.parametrize(
    ("model", "pattern"), [("tiny", "[ab]{1,3}|cd|d[abc]"), ("lines", "a*b?|c(a|d)+"), ("lines", "[a-d]+")]
)
def test_texts_are_as_frequent_as_the_model_says(server: LiveServer, model: str, pattern: str) -> None:
    expected = conditional(server, pattern, 3, model)
    count = 2400
    found: Counter[str] = Counter()
    for seed in range(count // 120):
        fields = {"model": model, "regex": pattern, "max_tokens": 3, "n": 120, "seed": seed}
        found.update(choice["text"] for choice in sampled(server, **fields))
    assert set(found) <= set(expected)
    common = {text: p * count for text, p in expected.items() if p * count >= 5}
    rest = count - sum(common.values())
    groups = [(found[text], mean) for text, mean in common.items()]
    if rest >= 5:
        groups.append((count - sum(found[text] for text in common), rest))
    statistic = sum((seen - mean) ** 2 / mean for seen, mean in groups)
    assert statistic < chi_square_bound(len(groups) - 1), (statistic, len(groups))


def chi_square_bound(freedom: int) -> float:
    """What chi-square passes with probability 0.001: Wilson and Hilferty's approximation, 1931."""
    z = 3.0902
    return freedom * (1 - 2 / (9 * freedom) + z * (2 / (9 * freedom)) ** 0.5) ** 3


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "not a valid pattern"),
        ("a(?=b)", "look-around"),
        (r"(a)\1", "back-references"),
        ("[A-Z]+9", "matches no text of the characters that may be drawn"),
        ("[a-z]{25}", "the shortest text that regex matches has 25 characters, max_tokens is 24"),
        ("a{0}", "matches only the empty text within max_tokens, 24"),
        ("(a|b)*a(a|b){11}", "2048 states"),
        ("(((a{1,100}){1,100}){1,100}){1,100}", "too large"),
        ("(" * 4000, "not a valid pattern"),
        ("a" * 4097, "at most 4096 characters"),
    ],
)
def test_patterns_that_cannot_be_are_refused_and_the_server_goes_on(
    server: LiveServer, pattern: str, told: str
) -> None:
    answer = server.post(COMPLETE, {"model": "tiny", "max_tokens": 24, "regex": pattern})
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["param"] == "regex"
    assert told in answer.json()["error"]["message"]
    assert sampled(server, regex="[a-z]+")


def test_bytes_make_whole_characters(server: LiveServer) -> None:
    """A model of bytes draws only bytes that make up what matches."""
    assert BYTES.vocabulary.symbols == "bytes"
    for choice in sampled(server, model="bytes", regex="[é€ä]{3}", n=16, temperature=2):
        assert re.fullmatch("[é€ä]{3}", choice["text"])


def test_letters_that_may_be_drawn_bound_the_pattern(server: LiveServer) -> None:
    for choice in sampled(server, regex="[a-z]{6}", allowed_chars="abc", n=16):
        assert re.fullmatch("[abc]{6}", choice["text"])


def test_greedy_and_filters_choose_among_what_matches(server: LiveServer) -> None:
    body = {"model": "tiny", "input": "", "top": 40}
    order = [entry["char"] for entry in server.post("/v1/next", body).json()["data"]]
    best = next(c for c in order if c in "xyz")
    for fields in ({"temperature": 0}, {"top_k": 1}, {"top_p": 1e-9}, {"min_p": 1}):
        assert sampled(server, regex="[xyz]", **fields)[0]["text"] == best


def test_turns_are_of_an_address_at_both_doors(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def noted() -> str:
        asked.append(principal.sharer())
        return asked[-1]

    monkeypatch.setattr(regex_compiler, "sharer", noted)
    with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9")) as client:
        body = {"model": "tiny", "max_tokens": 4, "regex": "[p-r]{2}"}
        assert client.post(server.url + COMPLETE, json=body).status_code == 200
    with server.stub() as stub:
        assert list(stub.Complete(pb.CompletionRequest(model="tiny", max_tokens=4, regex="[p-s]{2}")))
    assert asked == ["127.0.0.9", "127.0.0.1"]
