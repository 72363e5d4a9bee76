"""Sampling fields become parameters of lanes: ids, seeds, biases; what names nothing is refused."""

import asyncio
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.replacing import replace_in

from nextchar.engine.lane import Penalties, Sampling
from nextchar.engine.work import UNLIMITED
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.sampling import SamplingFields
from nextchar.service.inference import sampling_params
from nextchar.service.inference.regex_compiler import RegexCompiler
from nextchar.service.inference.sampling_params import choice_seed, make_sampling, make_seed

_ABC = Vocabulary(("a", "b", "c", "é"), normalization="NFC")  # ids 0 to 3, unknown 4, begin 5
_LINE = Vocabulary(("a", "b", "7"), unit="line")  # ids 0 to 2, unknown 3, end 4, begin 5
_REFUSING = Vocabulary(("a", "b"), unknown="refuse")
_BYTES = Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes")
_NEVER = -float("inf")


def _sampling(vocabulary: Vocabulary = _ABC, *, seed: int = 5, first_draw: int = 0, **given: Any) -> Sampling:
    model: Any = SimpleNamespace(graph=SimpleNamespace(vocabulary=vocabulary))  # all that is read of a model
    request = SamplingFields.model_validate(given)
    return asyncio.run(make_sampling(model, request, RegexCompiler(), seed=seed, first_draw=first_draw))


def _refused(vocabulary: Vocabulary, **given: Any) -> tuple[str, str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        _sampling(vocabulary, **given)
    return caught.value.code, caught.value.param, caught.value.message


def test_every_field_is_the_parameter_of_its_name() -> None:
    made = _sampling(
        seed=11,
        first_draw=3,
        max_tokens=40,
        min_tokens=2,
        temperature=0.5,
        top_k=7,
        top_p=0.25,
        min_p=0.125,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repetition_penalty=1.3,
        include_stop_str_in_output=True,
        post_sampling_logprobs=True,
        stream=True,
        stream_options={"min_event_chars": 9, "max_event_seconds": 0.75},
        stop=["ab", "c"],
        stop_token_ids=[3, 0],
        logit_bias={"b": 2.0},
    )
    shown = {field.name: getattr(made, field.name) for field in fields(made)}
    assert (
        shown
        | {
            "max_chars": 40,
            "seed": 11,
            "first_draw": 3,
            "temperature": 0.5,
            "top_k": 7,
            "top_p": 0.25,
            "min_p": 0.125,
            "bias": ((1, 2.0),),
            "penalties": Penalties(0.1, 0.2, 1.3),
            "stop": ((0, 1), (2,), (3,), (0,)),
            "chars_per_delivery": 9,
            "seconds_per_delivery": 0.75,
            "automaton": None,
            "end_ids": (3, 0),
            "min_chars": 2,
            "includes_stop": True,
            "reports_drawn_logprobs": True,
        }
        == shown
    )


def test_what_is_not_streamed_is_delivered_whole() -> None:
    made = _sampling(stream_options={"min_event_chars": 9, "max_event_seconds": 0.75})
    assert (made.chars_per_delivery, made.seconds_per_delivery) == (0, UNLIMITED)
    assert (made.includes_stop, made.reports_drawn_logprobs, made.end_ids, made.bias) == (
        False,
        False,
        (),
        (),
    )


def test_a_stop_string_that_can_never_be_drawn_is_left_out() -> None:
    assert _sampling(stop=["ab", "a\N{SNOWMAN}", "e\N{COMBINING ACUTE ACCENT}"]).stop == ((0, 1), (3,))
    assert _sampling(_REFUSING, stop=["ab", "ax"]).stop == ((0, 1),)


def test_only_the_allowed_characters_keep_their_share() -> None:
    assert _sampling(allowed_chars="acca").bias == ((1, _NEVER), (3, _NEVER))
    assert _sampling(_LINE, allowed_chars="b", logit_bias={"b": 1.0}).bias == (
        (1, 1.0),
        (0, _NEVER),
        (2, _NEVER),
    )
    assert _sampling(allowed_chars="abcé").bias == ()


@pytest.mark.parametrize(
    ("vocabulary", "given", "param", "says"),
    [
        (
            _ABC,
            {"allowed_chars": "ax"},
            "allowed_chars",
            "allowed_chars holds 'x', which is not in the model's vocabulary",
        ),
        (
            _BYTES,
            {"allowed_chars": "é"},
            "allowed_chars",
            "allowed_chars holds 'é', which is more than one byte: use regex instead",
        ),
        (_ABC, {"stop_token_ids": [1, 5]}, "stop_token_ids", "stop_token_ids holds 5; ids are 0 to 4"),
        (_LINE, {"stop_token_ids": [5, 6]}, "stop_token_ids", "stop_token_ids holds 5; ids are 0 to 4"),
        (
            _ABC,
            {"logit_bias": {"x" * 30: 1.0}},
            "logit_bias",
            f"logit_bias has the key {'x' * 20!r}, which is neither a character of the model nor an id "
            "below 5",
        ),
        (_ABC, {"logit_bias": {"5": 1.0}}, "logit_bias", "logit_bias has the key '5', which"),
        (_ABC, {"logit_bias": {"0" * 10: 1.0}}, "logit_bias", "logit_bias has the key '0000000000', which"),
        (_ABC, {"logit_bias": {"": 1.0}}, "logit_bias", "logit_bias has the key '', which"),
        (
            _ABC,
            {"allowed_chars": "ab", "stop_token_ids": [1, 0], "min_tokens": 1},
            "min_tokens",
            "min_tokens must be 0 when every character that may be drawn is one of stop_token_ids",
        ),
        (_REFUSING, {"stop_token_ids": [0, 1], "min_tokens": 1}, "min_tokens", "min_tokens must be 0 when"),
    ],
)
def test_what_names_no_symbol_or_leaves_none_is_refused(
    vocabulary: Vocabulary, given: dict, param: str, says: str
) -> None:
    code, found, message = _refused(vocabulary, **given)
    assert (code, found) == ("invalid_value", param)
    assert message.startswith(says)


@pytest.mark.parametrize(
    ("vocabulary", "given"),
    [
        (_ABC, {"stop_token_ids": [0, 4]}),
        (_ABC, {"logit_bias": {"4": 1.0, "000000000": 1.0}}),
        (_ABC, {"allowed_chars": "ab", "stop_token_ids": [0, 1]}),
        (_ABC, {"allowed_chars": "abc", "stop_token_ids": [0, 1], "min_tokens": 1}),
        (_REFUSING, {"stop_token_ids": [0], "min_tokens": 1}),
    ],
)
def test_what_is_just_inside_is_taken(vocabulary: Vocabulary, given: dict) -> None:
    assert _sampling(vocabulary, **given).max_chars == 16


def test_a_key_of_digits_is_an_id_and_any_other_a_character() -> None:
    assert _sampling(_LINE, logit_bias={"1": 0.5, "b": 0.25, "04": -1.0}).bias == (
        (1, 0.5),
        (1, 0.25),
        (4, -1.0),
    )
    assert _sampling(logit_bias={"e\N{COMBINING ACUTE ACCENT}": 1.0}).bias == ((3, 1.0),)
    digits = Vocabulary(("a", "\N{ARABIC-INDIC DIGIT ONE}"))
    assert _sampling(digits, logit_bias={"\N{ARABIC-INDIC DIGIT ONE}": 1.0}).bias == ((1, 1.0),)


def test_a_pattern_is_over_the_bytes_of_the_symbols_that_may_be_drawn() -> None:
    assert sampling_params._symbols(_LINE, None) == (b"a", b"b", b"7", b"", b"")
    assert sampling_params._symbols(_ABC, frozenset({0, 3})) == (b"a", b"", b"", "é".encode(), b"")
    assert sampling_params._symbols(_BYTES, None) == tuple(bytes([byte]) for byte in range(256))
    lone = Vocabulary(("\ud800",), unknown="refuse")
    assert sampling_params._symbols(lone, None) == (b"\xed\xa0\x80",)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_seed_is_its_own_64_bits(given_: int) -> None:
    assert make_seed(given_) == given_ % 2**64


def test_random_seeds_have_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    replace_in(monkeypatch, sampling_params, "secrets", randbelow=lambda bound: asked.append(bound) or 17)
    assert make_seed(None) == 17
    assert asked == [2**64]


def test_the_seeds_of_choices_stay_what_they_are() -> None:
    """A request with a seed has the same choices on every release."""
    assert choice_seed(7, 0) == 7
    assert [choice_seed(7, k) for k in (1, 2)] == [14818979533484651488, 4504606891059362275]
    assert choice_seed(2**64 - 1, 1) != choice_seed(7, 1)
