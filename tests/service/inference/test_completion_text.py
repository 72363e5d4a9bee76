from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas.completion import Choice
from nextchar.service.inference.choice_joiner import join_choices
from nextchar.service.inference.completion_text import CompletionText, Prompt, Shown

ABC = Vocabulary(("a", "b", "c"))


def deliveries(text: str, cuts: list[int], finish: FinishReason, num_stop: int) -> list[Delivery]:
    ids = ABC.encode(text)
    edges = [0, *sorted(min(cut, len(ids)) for cut in cuts), len(ids)]
    parts = []
    for start, end in pairwise(edges):
        logprobs = -np.arange(start, end, dtype=np.float64)
        tops = np.zeros((end - start, 1), dtype=np.int64)
        parts.append(Delivery(ids[start:end], logprobs, tops, logprobs[:, None]))
    last = parts.pop()
    return [
        *parts,
        Delivery(last.ids, last.logprobs, last.top_ids, last.top_logprobs, finish=finish, num_stop=num_stop),
    ]


def pieces(
    text: str,
    cuts: list[int],
    *,
    prompt: str = "",
    stop: str = "",
    echo: bool = False,
    num_stop: int = 0,
) -> list[Choice]:
    given = Prompt(ABC.encode(prompt), list(prompt))
    made = CompletionText(ABC, given, [stop] if stop else [], Shown(echo=echo, num_top=1))
    finish = FinishReason.STOP if num_stop else FinishReason.LENGTH
    return [made.add(delivery) for delivery in deliveries(prompt + text, cuts, finish, num_stop)]


@given(st.text("abc", max_size=20), st.text("abc", max_size=5), st.lists(st.integers(0, 25)), st.booleans())
def test_however_it_is_cut_the_pieces_join_to_the_same(
    text: str, prompt: str, cuts: list[int], echo: bool
) -> None:
    whole = join_choices(pieces(text, [], prompt=prompt, echo=echo))
    assert join_choices(pieces(text, cuts, prompt=prompt, echo=echo)) == whole
    assert whole.text == (prompt if echo else "") + text
    assert whole.logprobs is not None
    assert "".join(whole.logprobs.tokens) == whole.text
    first = 0 if echo else len(prompt)
    assert whole.logprobs.text_offset == list(range(first, first + len(whole.text)))


@given(st.text("ab", max_size=20), st.lists(st.integers(0, 25)), st.sampled_from(["c", "bc", "abc", "aac"]))
def test_no_part_of_the_stop_string_is_ever_shown(text: str, cuts: list[int], stop: str) -> None:
    # A delivery that completes the stop string is the last one.
    cuts = [min(cut, len(text + stop) - 1) for cut in cuts]
    found = pieces(text + stop, cuts, stop=stop, num_stop=len(stop))
    shown = ""
    for piece in found:
        shown += piece.text
        assert text.startswith(shown)
    assert shown == text
    assert found[-1].finish_reason == "stop"


def test_held_back_text_is_given_when_the_stop_string_does_not_come() -> None:
    found = pieces("aab", [2], stop="aac")
    assert [piece.text for piece in found] == ["", "aab"]


def test_a_prompt_is_never_held_back() -> None:
    found = pieces("b", [2], prompt="aa", stop="aac", echo=True)
    assert [piece.text for piece in found] == ["aa", "b"]
