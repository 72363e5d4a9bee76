"""Texts of every kind over the API: what is told stays a distribution, and what is kept stays small."""

import argparse
import inspect
import math
import random
from pathlib import Path
from typing import Any

import pytest
from support.in_process import Sessions, in_process
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.service.sessions.stores.memory import MemoryStore

_WINDOW = 1024
_CHARS = 4_800
_WEIGHTS_BYTES = 2 * 918
_SENTENCE = "the quick brown fox jumps over a lazy dog, as it did before. "


def _random(alphabet: str) -> str:
    return "".join(random.Random(1).choices(alphabet, k=_CHARS))


TEXTS = {
    "one repeated character": ("tiny", "a" * _CHARS),
    "one repeated line end": ("tiny", "\n" * _CHARS),
    "a long text": ("tiny", _SENTENCE * (_CHARS // len(_SENTENCE))),
    "random characters": ("lines", _random("abcdefghijklmnopqrstuvwxyz.,")),
    "random bytes": ("bytes", _random("".join(map(chr, range(128))))),
    "characters of several bytes": ("bytes", _random("é\N{SNOWMAN}\U0001f600\0")),
    "unknown characters throughout": ("tiny", _random("".join(map(chr, range(0x4E00, 0x4F00))))),
}


def _check(distribution: list[dict[str, Any]]) -> None:
    """Checks that all symbols are told, and that their probabilities sum to one, in both distributions."""
    for name in ("logprob", "model_logprob"):
        values = [symbol[name] for symbol in distribution]
        assert all(math.isfinite(value) and value <= 1e-6 for value in values)
        assert math.fsum(map(math.exp, values)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("model", "text"), TEXTS.values(), ids=TEXTS)
def test_what_is_told_is_finite_and_what_is_kept_has_a_bound(
    server: LiveServer, model: str, text: str
) -> None:
    plain = Session.create(server, model=model)
    learned = Session.create(server, model=model, adaptive={"window": _WINDOW})
    _check(learned.next())
    for first in range(0, _CHARS, 1200):
        piece = text[first : first + 1200]
        plain.do("feed", text=piece, **{"return": "none"})
        fed = learned.do("feed", text=piece)
        _check(fed["data"])
        assert math.isfinite(fed["logprob"])
        assert fed["logprob"] <= 0
        # Its text once, from where that of the anchor begins, and the weights here and at the anchor.
        most = _WINDOW + 256 + 2 * _WEIGHTS_BYTES + 600
        assert len(learned.state()) <= len(plain.state()) + most
    scores = learned.do("score", input=[text[:500], text[-500:], ""], return_chars=True)["data"]
    assert all(math.isfinite(char["logprob"]) for score in scores for char in score["chars"])
    assert len(learned.sample(max_tokens=300, temperature=1.5)) > 0
    _check(learned.next())


def test_ten_thousand_characters_take_six_kilobytes_more_than_the_state(models: Path) -> None:
    """As they are in the store, of a text that a person has written."""
    text, store = inspect.getsource(argparse)[:10_000], MemoryStore()
    with in_process(models, store=store) as made:
        sessions = Sessions(made, store)
        sessions.create("plain", model="bytes", prime=text)
        sessions.create("learned", model="bytes", prime=text, adaptive=True)
        plain, learned = (len(store._records["ann", name].sealed) for name in ("plain", "learned"))
    assert plain < learned <= plain + 6 * 1024
