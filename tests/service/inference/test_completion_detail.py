"""The details of a completion against a plain reading of its deliveries: ids, alternatives, the prompt."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.completion import Choice, PromptLogprob
from nextchar.service.inference.choice_joiner import join_choices
from nextchar.service.inference.completion_text import BEGIN, CompletionText, Prompt, Shown

_LINE = Vocabulary(("a", "b", "c"), unit="line")  # unknown is 3, end is 4, begin is 5
_LABELS = ["a", "b", "c", "<|unknown|>", "<|end|>"]
_TEXTS = ["a", "b", "c", "\N{REPLACEMENT CHARACTER}", ""]
_NUM_TOP = 3
_ids = st.lists(st.integers(0, 3), max_size=8)


def _delivery(ids: list[int], first: int, finish: FinishReason | None = None, num_stop: int = 0) -> Delivery:
    """Makes a delivery whose numbers tell their place."""
    places = np.arange(first, first + len(ids), dtype=np.float64)
    tops = (places[:, None].astype(int) + np.arange(_NUM_TOP)) % 5
    values = -(places[:, None] + np.arange(_NUM_TOP) / 8)
    return Delivery(
        np.array(ids, dtype=np.int64), -places - 0.5, tops, values, finish=finish, num_stop=num_stop
    )


def _top(place: int, count: int) -> dict[int, float]:
    return {(place + k) % 5: -(place + k / 8) for k in range(count)}


def _run(
    prompt: Prompt, drawn: list[int], cut: int, shown: Shown, **how: Any
) -> tuple[CompletionText, Choice]:
    ids = [*prompt.ids.tolist(), *drawn]
    cut = min(cut, len(ids))
    made = CompletionText(_LINE, prompt, [], shown)
    finish = how.get("finish", FinishReason.LENGTH)
    pieces = [
        made.add(_delivery(ids[:cut], 0)),
        made.add(_delivery(ids[cut:], cut, finish, how.get("num_stop", 0))),
    ]
    return made, join_choices(pieces).model_copy(update={"prompt_logprobs": pieces[-1].prompt_logprobs})


def _prompt(ids: list[int], *, begins: bool = False) -> Prompt:
    return Prompt(np.array(ids, dtype=np.int64), [_TEXTS[i] for i in ids], begins)


@given(_ids, _ids, st.integers(0, 16), st.integers(0, _NUM_TOP), st.booleans(), st.booleans())
def test_log_probabilities_are_those_of_each_place(
    given_ids: list[int], drawn: list[int], cut: int, num_top: int, echo: bool, begins: bool
) -> None:
    _, found = _run(_prompt(given_ids, begins=begins), drawn, cut, Shown(3, echo=echo, num_top=num_top))
    first = 0 if echo else len(given_ids)
    shown = [*given_ids, *drawn][first:]
    labels = [_TEXTS[i] for i in shown]
    logprobs: list[float | None] = [-(place + 0.5) for place in range(first, first + len(shown))]
    tops = [
        _top(place, num_top) | {symbol_id: -(place + 0.5)} for place, symbol_id in enumerate(shown, first)
    ]
    if begins and echo:
        labels, logprobs, tops = [BEGIN, *labels], [None, *logprobs], [{}, *tops]
    assert (found.index, found.finish_reason, found.ended) == (3, "length", False)
    assert found.text == "".join(_TEXTS[i] for i in shown)
    assert found.logprobs is not None
    assert found.logprobs.tokens == labels
    assert found.logprobs.token_logprobs == logprobs
    assert found.logprobs.top_logprobs == [{_LABELS[i]: v for i, v in top.items()} for top in tops]
    ends = np.cumsum([0 if label == BEGIN else len(label) for label in labels]).tolist()
    assert found.logprobs.text_offset == [first + end for end in [0, *ends]][: len(labels)]
    assert found.token_ids is found.prompt_token_ids is found.prompt_logprobs is None


@given(_ids, _ids, st.integers(0, 16), st.booleans(), st.booleans())
def test_ids_are_the_prompts_once_and_the_drawn_ones(
    given_ids: list[int], drawn: list[int], cut: int, echo: bool, begins: bool
) -> None:
    prompt = _prompt(given_ids, begins=begins)
    made, found = _run(prompt, drawn, cut, Shown(echo=echo, token_ids=True))
    assert found.token_ids == drawn
    assert found.prompt_token_ids == [5] * begins + given_ids
    assert found.logprobs is None
    assert prompt.num_tokens == len(given_ids) + begins
    assert made.num_drawn == len(drawn)
    logprobs = [-(place + 0.5) for place in range(len(given_ids), len(given_ids) + len(drawn))]
    assert made.logprob == pytest.approx(sum(logprobs))
    assert made.mean_logprob == pytest.approx(np.mean(logprobs) if drawn else 0.0)


@given(_ids, _ids, st.integers(0, 16), st.integers(0, _NUM_TOP), st.booleans())
def test_the_prompts_log_probabilities_come_with_the_last_piece(
    given_ids: list[int], drawn: list[int], cut: int, num_top: int, begins: bool
) -> None:
    _, found = _run(_prompt(given_ids, begins=begins), drawn, cut, Shown(num_prompt_top=num_top, num_top=1))
    expected: list[dict[int, PromptLogprob] | None] = [None] * begins
    for place, symbol_id in enumerate(given_ids):
        values = _top(place, num_top) | {symbol_id: -(place + 0.5)}
        expected.append({i: PromptLogprob(logprob=v, decoded_token=_LABELS[i]) for i, v in values.items()})
    assert found.prompt_logprobs == expected
    assert found.logprobs is not None
    place = len(given_ids) + len(drawn) - 1
    last = [_top(place, 1) | {drawn[-1]: -(place + 0.5)}] if drawn else []
    assert found.logprobs.top_logprobs[-1:] == [{_LABELS[i]: v for i, v in top.items()} for top in last]
    assert found.token_ids is None


def test_pieces_before_the_last_have_no_prompt_log_probabilities() -> None:
    made = CompletionText(_LINE, _prompt([0, 1]), [], Shown(num_prompt_top=1, token_ids=True))
    first, last = made.add(_delivery([0, 1, 2], 0)), made.add(_delivery([2], 3, FinishReason.LENGTH))
    assert (first.prompt_logprobs, len(last.prompt_logprobs or [])) == (None, 2)
    assert (first.prompt_token_ids, last.prompt_token_ids) == ([0, 1], None)
    assert (first.token_ids, last.token_ids) == ([2], [2])


def test_the_end_symbol_is_shown_and_a_stop_string_is_not() -> None:
    _, ended = _run(_prompt([0]), [1, 4], 2, Shown(num_top=0), finish=FinishReason.STOP, num_stop=1)
    assert (ended.text, ended.finish_reason, ended.ended) == ("b", "stop", True)
    assert ended.logprobs is not None
    assert ended.logprobs.tokens == ["b", "<|end|>"]
    made, stopped = _run(_prompt([0]), [1, 2, 2], 2, Shown(num_top=0), finish=FinishReason.STOP, num_stop=2)
    assert (stopped.text, stopped.ended, made.num_drawn) == ("b", False, 3)
    assert stopped.logprobs is not None
    assert stopped.logprobs.token_logprobs == [-1.5]


def test_alternatives_that_can_never_come_are_left_out() -> None:
    made = CompletionText(_LINE, _prompt([]), [], Shown(num_top=3))
    never = np.array([[-0.5, -1.0, -np.inf]])
    found = made.add(
        Delivery(np.array([0]), np.array([-0.5]), np.array([[0, 4, 2]]), never, finish=FinishReason.LENGTH)
    )
    assert found.logprobs is not None
    assert found.logprobs.top_logprobs == [{"a": -0.5, "<|end|>": -1.0}]


@pytest.mark.parametrize(
    ("stop", "text", "held"),
    [
        (["ab"], "ca", 1),
        (["ab"], "cb", 0),
        (["abc", "bcab"], "cab", 2),
        (["bc", "caba"], "cab", 3),
        (["a"], "b", 0),
        ([], "a", 0),
    ],
)
def test_the_longest_end_that_may_begin_a_stop_string_is_held_back(
    stop: list[str], text: str, held: int
) -> None:
    made = CompletionText(_LINE, _prompt([]), stop, Shown(num_top=0))
    ids = [_TEXTS.index(c) for c in text]
    first = made.add(_delivery(ids, 0))
    assert first.text == text[: len(text) - held]
    assert (first.finish_reason, first.ended) == (None, False)
    last = made.add(_delivery([], len(ids), FinishReason.LENGTH))
    assert last.text == text[len(text) - held :]
    assert last.logprobs is not None
    assert last.logprobs.text_offset == list(range(len(text) - held, len(text)))


@pytest.mark.parametrize(
    ("num_top", "num_prompt_top", "most"), [(None, None, 0), (3, None, 3), (None, 2, 2), (1, 5, 5), (6, 5, 6)]
)
def test_a_lane_reports_as_many_alternatives_as_are_listed_anywhere(
    num_top: int | None, num_prompt_top: int | None, most: int
) -> None:
    assert Shown(num_top=num_top, num_prompt_top=num_prompt_top).most_top == most


def test_bytes_are_text_when_their_character_is_whole() -> None:
    vocabulary = Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes")
    made = CompletionText(vocabulary, Prompt(np.empty(0, dtype=np.int64), []), [], Shown(num_top=0))
    raw = list("aé".encode())
    first = made.add(_delivery(raw[:2], 0))
    last = made.add(_delivery([raw[2], 0xC3], 2, FinishReason.LENGTH))
    assert (first.text, last.text) == ("a", "é\N{REPLACEMENT CHARACTER}")
    assert first.logprobs is not None
    assert last.logprobs is not None
    assert first.logprobs.tokens + last.logprobs.tokens == ["a", "bytes:\\xc3", "bytes:\\xa9", "bytes:\\xc3"]
    assert first.logprobs.text_offset + last.logprobs.text_offset == [0, 1, 1, 2]
