"""Each use case refuses with a code, the field at fault and the limit; at the limit it answers."""

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.in_process import InProcess, context, in_process

from nextchar.errors import NextcharError
from nextchar.schemas.compare import CompareRequest
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.inspect import InspectRequest
from nextchar.schemas.limits import Limits
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.tokens import DetokenizeRequest, TokenizeRequest
from nextchar.service.service import Service

_LIMITS = Limits(
    max_strings=3, max_input_chars=10, max_request_chars=24, max_tokens=12, max_inspect_chars=6, max_choices=4
)
Call = Callable[[Service], Coroutine[Any, Any, Any]]


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[InProcess]:
    with in_process(models, limits=_LIMITS) as made:
        yield made


@pytest.fixture(scope="module")
def strict(models: Path) -> Iterator[InProcess]:
    with in_process(models, limits=Limits(strict_characters=True)) as made:
        yield made


def _score(*texts: str, **fields: Any) -> Call:
    request = ScoreRequest(**{"model": "tiny", "input": list(texts)} | fields)
    return lambda service: service.scorer.score(request, context("score"))


def _next(text: str, **fields: Any) -> Call:
    request = NextRequest(**{"model": "tiny", "input": text} | fields)
    return lambda service: service.predictor.next(request, context("next"))


def _compare(*texts: str, **fields: Any) -> Call:
    request = CompareRequest(**{"model": "tiny", "input": list(texts)} | fields)
    return lambda service: service.comparer.compare(request, context("compare"))


def _complete(prompt: Any, **fields: Any) -> Call:
    request = CompletionRequest(**{"model": "tiny", "prompt": prompt, "seed": 1, "max_tokens": 2} | fields)
    return lambda service: service.completer.complete(request, context("complete"))


def _inspect(text: str, **fields: Any) -> Call:
    request = InspectRequest(**{"model": "tiny", "input": text} | fields)
    return lambda service: service.inspector.inspect(request, context("inspect"))


def _tokenize(text: str, **fields: Any) -> Call:
    request = TokenizeRequest(**{"model": "tiny", "prompt": text} | fields)
    return lambda service: service.tokenizer.tokenize(request, context("tokenize"))


def _detokenize(*ids: int, model: str | None = "tiny") -> Call:
    request = DetokenizeRequest(model=model, tokens=list(ids))
    return lambda service: service.tokenizer.detokenize(request, context("tokenize"))


def _refused(small: InProcess, call: Call) -> NextcharError:
    with pytest.raises(NextcharError) as caught:
        small.run(call(small.service))
    return caught.value


_IDS = "which is not the id of a symbol: ids are 0 to 31, and 32 (begin) may be the first"
_A_BEGIN = "prompt begins with the id of the begin symbol, which is before any text: leave it out when"
_NO_END = (
    "include_end must be false for model 'tiny', which was trained on running text and has no end symbol"
)
_REFUSED = "which is not in the model's vocabulary, and this model refuses such characters"
_REFUSALS = [
    (_score("a" * 11), "input_too_large", "input.0", "input.0 has 11 characters, the limit is 10"),
    (_score("a", "b" * 11), "input_too_large", "input.1", "input.1 has 11 characters, the limit is 10"),
    (
        _score("a", context="b" * 11),
        "input_too_large",
        "context",
        "context has 11 characters, the limit is 10",
    ),
    (_score(*"abcd"), "too_many_items", "input", "input has 4 strings, the limit is 3"),
    (
        _score("a" * 9, "b" * 9, context="c" * 7),
        "input_too_large",
        "input",
        "the request has 25 characters in all, the limit is 24: split it",
    ),
    (_score("a", include_end=True), "invalid_value", "include_end", _NO_END),
    (
        _score("a", "aB", model="refusing"),
        "unknown_character",
        "input.1",
        f"input.1 holds 'B' (U+0042), {_REFUSED}",
    ),
    (
        _score("a", model="refusing", context="\N{SNOWMAN}"),
        "unknown_character",
        "context",
        "context holds '\N{SNOWMAN}' (U+2603)",
    ),
    (
        _score("a", model="none:3"),
        "model_not_found",
        "model",
        "model 'none:3' is not served here; served models: bytes, lines, refusing, tiny",
    ),
    (_score("a", state=b"x" * 40), "state_invalid", "state", "state is not a state of nextchar"),
    (_next("a" * 11), "input_too_large", "input", "input has 11 characters, the limit is 10"),
    (_compare("a", "b" * 11), "input_too_large", "input.1", "input.1 has 11 characters"),
    (
        _compare("a", "b", rank_by="log_ratio"),
        "invalid_value",
        "reference_model",
        "reference_model must be set when rank_by is log_ratio",
    ),
    (_complete("a" * 11), "input_too_large", "prompt", "prompt has 11 characters, the limit is 10"),
    (
        _complete(["a", "b" * 11]),
        "input_too_large",
        "prompt.1",
        "prompt.1 has 11 characters, the limit is 10",
    ),
    (_complete([1] * 11), "input_too_large", "prompt", "prompt has 11 characters, the limit is 10"),
    (
        _complete([[1], [2] * 11]),
        "input_too_large",
        "prompt.1",
        "prompt.1 has 11 characters, the limit is 10",
    ),
    (_complete([1, 40]), "invalid_value", "prompt", f"prompt holds 40, {_IDS}"),
    (_complete([[0, 1], [1, 32]]), "invalid_value", "prompt.1", f"prompt.1 holds 32, {_IDS}"),
    (_complete("aB", model="refusing"), "unknown_character", "prompt", "prompt holds 'B' (U+0042)"),
    (_complete("a", max_tokens=13), "invalid_value", "max_tokens", "max_tokens is 13, the limit is 12"),
    (
        _complete("a", n=5),
        "too_many_items",
        "n",
        "the request samples 5 completions (prompts × n), the limit is 4",
    ),
    (_complete(list("abc"), n=1, best_of=2), "too_many_items", "n", "the request samples 6 completions"),
    (
        _complete(["a" * 7, "b" * 6], max_tokens=6),
        "input_too_large",
        "prompt",
        "the request has 25 characters in all, the limit is 24: split it",
    ),
    (_complete([32, 1], return_state=True), "invalid_value", "prompt", _A_BEGIN),
    (
        _inspect("a" * 7),
        "input_too_large",
        "input",
        "input has 7 characters; the limit of an inspection is 6",
    ),
    (_inspect("a" * 11), "input_too_large", "input", "input has 11 characters, the limit is 10"),
    (
        _inspect("a", layers=[0, 2]),
        "invalid_value",
        "layers",
        "layers holds 2; the model's layers are 0 to 1",
    ),
    (_inspect("a", layers=[-1]), "invalid_value", "layers", "layers holds -1; the model's layers are 0 to 1"),
    (
        _inspect("a", model="lines", states=["cell"]),
        "invalid_value",
        "states",
        "states holds 'cell'; a gru has only: hidden",
    ),
    (_tokenize("a" * 11), "input_too_large", "prompt", "prompt has 11 characters, the limit is 10"),
    (_detokenize(*[1] * 11), "input_too_large", "tokens", "tokens has 11 ids, the limit is 10"),
    (_detokenize(0, 32, 33), "invalid_value", "tokens", "tokens holds 33; ids are 0 to 32"),
]


@pytest.mark.parametrize(("call", "code", "param", "says"), _REFUSALS)
def test_what_is_over_a_limit_or_not_the_models_is_refused(
    small: InProcess, call: Call, code: str, param: str, says: str
) -> None:
    error = _refused(small, call)
    assert (error.code, error.param) == (code, param), error.message
    assert error.message.startswith(says)


_ANSWERS = [
    _score("a" * 10, context="b" * 10),
    _score("a" * 9, "b" * 9, context="c" * 6),
    _score(*"abc"),
    _score("a", include_end=True, model="lines"),
    _next("a" * 10),
    _next(""),
    _compare("a", "b", rank_by="log_ratio", reference_model="lines"),
    _complete("a" * 10),
    _complete("a" * 10, max_tokens=12),
    _complete([32, *[0] * 9]),
    _complete([0, 31, 0]),
    _complete("a", n=4),
    _complete(["a" * 6, "b" * 6], max_tokens=6),
    _complete("a" * 6, max_tokens=6, best_of=2),
    _inspect("a" * 6, layers=[0, 1], states=["cell", "hidden"]),
    _tokenize("a" * 10),
    _detokenize(*[32] * 10),
]


@pytest.mark.parametrize("call", _ANSWERS)
def test_what_is_at_a_limit_is_answered(small: InProcess, call: Call) -> None:
    assert small.run(call(small.service)).model == "tiny" or call is _ANSWERS[3]


_STRICT = "which is not in the model's vocabulary, and this server is strict"


@pytest.mark.parametrize(
    ("call", "param", "says"),
    [
        (_score("a", "bB"), "input.1", f"input.1 holds 'B' (U+0042), {_STRICT}"),
        (
            _score("a", context="ab\N{SNOWMAN}C"),
            "context",
            f"context holds '\N{SNOWMAN}' (U+2603), {_STRICT}",
        ),
        (_next("B"), "input", f"input holds 'B' (U+0042), {_STRICT}"),
        (_complete(["a", "B"]), "prompt.1", f"prompt.1 holds 'B' (U+0042), {_STRICT}"),
    ],
)
def test_a_strict_server_refuses_unknown_characters(
    strict: InProcess, call: Call, param: str, says: str
) -> None:
    error = _refused(strict, call)
    assert (error.code, error.param, error.message) == ("unknown_character", param, says)


def test_a_server_that_shows_no_states_says_so(models: Path) -> None:
    with in_process(models, limits=Limits(max_inspect_chars=0)) as off:
        error = _refused(off, _inspect("a"))
    assert (error.code, error.param) == ("inspect_off", None)
    assert error.message == "this server does not return hidden states: max_inspect_chars is 0"


def test_an_inspection_has_at_most_so_many_numbers(models: Path) -> None:
    limits = Limits(max_inspect_values=4 * 24 * 5)  # two layers of two states of 24 units
    with in_process(models, limits=limits) as few:
        assert few.run(_inspect("a" * 5)(few.service)).usage.prompt_tokens == 5
        assert few.run(_inspect("a" * 6, layers=[1])(few.service)).usage.prompt_tokens == 6
        error = _refused(few, _inspect("a" * 6))
    assert (error.code, error.param) == ("input_too_large", "input")
    assert error.message == (
        "the answer would have 576 numbers, the limit is 480: request fewer layers, states or gates, or "
        "send a shorter input"
    )


def test_the_server_that_ends_takes_nothing_new(models: Path) -> None:
    with in_process(models) as ending:
        ending.service.lifecycle.drain(0.0)
        for call in (_score("a"), _next("a"), _complete("a"), _inspect("a"), _tokenize("a")):
            error = _refused(ending, call)
            assert (error.code, error.message) == (
                "draining",
                "the server is shutting down; try another replica",
            )


def test_the_unknown_characters_of_every_use_case_are_counted(models: Path) -> None:
    with in_process(models) as fresh:
        calls = [_score("aBC", "D", context="E"), _next("F"), _complete("GH"), _inspect("I"), _tokenize("J")]
        for num_unknown, call in zip((4, 1, 2, 1, 1), calls, strict=True):
            before = _unknown(fresh)
            fresh.run(call(fresh.service))
            assert _unknown(fresh) - before == num_unknown


def _unknown(fresh: InProcess) -> float:
    return sum(
        sample.value
        for family in fresh.service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "nextchar_unknown_chars_total"
    )
