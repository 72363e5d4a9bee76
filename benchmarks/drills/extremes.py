"""Generates the largest requests that the limits of a server allow, and larger ones."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nextchar.pb import nextchar_pb2 as pb

Limits = dict[str, Any]  # what /v1/limits says of a request
_TEXT = "the quick brown fox jumps over a lazy dog. "


@dataclass(frozen=True, slots=True)
class Extreme:
    """One request; `body` is made when it is sent, since some have megabytes."""

    name: str
    path: str
    body: Callable[[], bytes]


def extremes(model: str, limits: Limits) -> list[Extreme]:
    """Returns a request for each field, or set of fields, at its maximum."""
    return [
        *_scores(model, limits),
        *_completions(model, limits),
        *_small_calls(model, limits),
        *_many_items(model, limits),
    ]


def messages(model: str, limits: Limits) -> list[pb.ScoreRequest | pb.CompletionRequest]:
    """Returns gRPC requests whose answers are the largest, and one of the most items."""
    text, top = _text(limits["max_input_chars"]), limits["max_top_logprobs"]
    return [
        pb.ScoreRequest(model=model, input=[text] * 3, return_chars=True),
        pb.CompletionRequest(model=model, prompt=text[:12_000], max_tokens=0, prompt_logprobs=top),
        pb.CompletionRequest(model=model, prompts=[""] * 1_000_000),
    ]


def combined(model: str, limits: Limits, draw: random.Random) -> Extreme:
    """Returns a completion or a score with a random choice of fields at their maxima."""
    heavy: dict[str, Any] = {
        "echo": True,
        "logprobs": limits["max_top_logprobs"],
        "prompt_logprobs": limits["max_top_logprobs"],
        "n": limits["max_n"],
        "best_of": limits["max_n"],
        "return_token_ids": True,
        "stream": True,
        "min_tokens": 100,
        "temperature": 2.0,
        "allowed_chars": _TEXT,
        "stop": ["\0" * 64] * limits["max_stops"],
        "max_tokens": draw.choice([0, 1, 512, limits["max_tokens"]]),
    }
    chosen = {name: value for name, value in heavy.items() if draw.random() < 0.4}
    prompt: str | list[str] = draw.choice(list(_texts(limits)))
    if draw.random() < 0.3:
        fields = {"input": [prompt] if isinstance(prompt, str) else prompt, "return_chars": True}
        return _extreme("score, drawn", "/v1/score", {"model": model, **fields})
    name = f"completion, drawn: {' '.join(sorted(chosen))}"
    return _extreme(name, "/v1/completions", {"model": model, "prompt": prompt, **chosen})


def _texts(limits: Limits) -> Iterator[str | list[str]]:
    """Yields inputs of the most characters: one string, the longest ones, the most ones."""
    longest, total = limits["max_input_chars"], limits["max_request_chars"]
    yield _text(longest)
    yield [_text(longest, k) for k in range(total // longest)]
    most = limits["max_strings"]
    yield [_text(total // most, k) for k in range(most)]


def _text(num_chars: int, number: int = 0) -> str:
    """Returns a text that differs from those of other numbers from its first characters on."""
    first = "".join(_TEXT[(number // 20**k) % 20] for k in range(4))
    return (first + _TEXT * (num_chars // len(_TEXT) + 1))[:num_chars]


def _scores(model: str, limits: Limits) -> Iterator[Extreme]:
    for number, text in enumerate(_texts(limits)):
        strings = [text] if isinstance(text, str) else text
        fields = {"model": model, "input": strings, "return_chars": True, "return_state": True}
        yield _extreme(f"score {number} with return_chars", "/v1/score", fields)
    shared = {
        "model": model,
        "input": ["a"] * limits["max_strings"],
        "context": _text(limits["max_input_chars"]),
    }
    yield _extreme("score with a long context", "/v1/score", shared)
    strings = [_text(500, k) for k in range(limits["max_strings"])]
    yield _extreme("compare", "/v1/compare", {"model": model, "input": strings})


def _completions(model: str, limits: Limits) -> Iterator[Extreme]:
    top, path = limits["max_top_logprobs"], "/v1/completions"
    for number, text in enumerate(_texts(limits)):
        given = {"model": model, "prompt": text, "max_tokens": 0}
        yield _extreme(f"echo {number} with logprobs", path, given | {"echo": True, "logprobs": top})
        yield _extreme(f"prompt_logprobs {number}", path, given | {"prompt_logprobs": top})
    each = limits["max_request_chars"] // limits["max_n"] - 1
    drawn = {
        "model": model,
        "prompt": "a",
        "n": limits["max_n"],
        "max_tokens": min(each, limits["max_tokens"]),
    }
    yield _extreme("n with logprobs", path, drawn | {"logprobs": top, "return_token_ids": True})
    yield _extreme("n streamed with logprobs", path, drawn | {"logprobs": top, "stream": True})
    yield _extreme("best_of", path, drawn | {"n": 1, "best_of": limits["max_n"], "logprobs": top})
    bomb = {"model": model, "prompt": "a", "max_tokens": 100, "regex": "(a|b|c|d|e){1,60}" * 12}
    yield _extreme("a pattern", path, bomb)
    generate = {
        "text_input": _text(limits["max_input_chars"]),
        "parameters": {"max_tokens": 1000, "details": True},
    }
    yield _extreme("generate with details", f"/v2/models/{model}/generate", generate)


def _small_calls(model: str, limits: Limits) -> Iterator[Extreme]:
    text = _text(limits["max_input_chars"])
    yield _extreme("next", "/v1/next", {"model": model, "input": text, "return_state": True})
    yield _extreme("inspect", "/v1/inspect", {"model": model, "input": text[: limits["max_inspect_chars"]]})
    yield _extreme("tokenize", "/tokenize", {"model": model, "prompt": text, "return_token_strs": True})
    yield _extreme("detokenize", "/detokenize", {"model": model, "tokens": [1] * limits["max_input_chars"]})
    yield _extreme("create primed", "/v1/sessions", {"model": model, "prime": text})


def _many_items(model: str, limits: Limits) -> Iterator[Extreme]:
    """Yields bodies as large as they may be, of the smallest items."""
    room, path = limits["max_body_bytes"] - 200, "/v1/completions"

    def items(head: str, item: str, tail: str) -> Callable[[], bytes]:
        return lambda: (head + ",".join([item] * (room // (len(item) + 1))) + tail).encode()

    yield Extreme("empty prompts", path, items(f'{{"model":"{model}","prompt":[', '""', "]}"))
    yield Extreme("ids", path, items(f'{{"model":"{model}","max_tokens":0,"prompt":[', "1", "]}"))
    yield Extreme("lists of ids", path, items(f'{{"model":"{model}","prompt":[', "[1]", "]}"))
    yield Extreme("empty strings", "/v1/score", items(f'{{"model":"{model}","input":[', '""', "]}"))
    yield Extreme("ids to join", "/detokenize", items(f'{{"model":"{model}","tokens":[', "1", "]}"))
    yield Extreme(
        "nested lists", path, lambda: b'{"prompt":' + b"[" * (room // 2) + b"]" * (room // 2) + b"}"
    )

    def unknown() -> bytes:
        return json.dumps({"model": model, **{f"x{k}": 0 for k in range(room // 12)}})[:room].encode()

    yield Extreme("unknown fields", path, unknown)


def _extreme(name: str, path: str, fields: dict[str, Any]) -> Extreme:
    return Extreme(name, path, lambda: json.dumps(fields).encode())
