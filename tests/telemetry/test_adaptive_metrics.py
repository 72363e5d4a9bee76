"""What adaptive texts are worth is counted: the characters that were read, and their bits both ways."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.in_process import InProcess, Sessions, context, in_process, owner_context
from support.live_server import LiveServer
from support.session_client import Session

from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import RewindRequest, SampleRequest, SessionScoreRequest
from nextchar.service.sessions.stores.memory import MemoryStore

_OF_TINY = {"model": "tiny", "version": "1"}


@pytest.fixture
def made(models: Path) -> Iterator[InProcess]:
    with in_process(models, store=MemoryStore()) as running:
        yield running


class Counted:
    """What was counted since the last look."""

    def __init__(self, made: InProcess) -> None:
        self._made, self._seen = made, np.zeros(3)

    def more(self) -> list[float]:
        """Returns the characters, the bits of the model alone and those of the mixture."""
        metric = self._made.metric
        now = [metric("nextchar_adaptive_chars_total", **_OF_TINY)]
        now += [
            metric("nextchar_adaptive_bits_total", **_OF_TINY, predictor=predictor)
            for predictor in ("model", "mixture")
        ]
        found = np.array(now) - self._seen
        self._seen = np.array(now)
        return found.tolist()


def _bits(logprob: float | None) -> float:
    assert logprob is not None
    return -logprob / math.log(2)


def test_each_way_of_reading_a_text_that_is_learned_counts_it_once(made: InProcess) -> None:
    counted, sessions = Counted(made), Sessions(made, MemoryStore())
    sessions.create(prime="the fox " * 50, adaptive=True)
    num_chars, alone, mixed = counted.more()
    assert num_chars == 400
    assert 0 < mixed < alone
    fed = sessions.feed("the dog")
    assert counted.more() == pytest.approx([7, _bits(fed.model_logprob), _bits(fed.logprob)])
    one_by_one = sessions.feed("the dog", **{"return": "each"})
    assert counted.more() == pytest.approx([7, _bits(one_by_one.model_logprob), _bits(one_by_one.logprob)])
    scoring = SessionScoreRequest(input=["ab", "cde"])
    scores = made.run(sessions.calls.text.score("one", scoring, owner_context())).data
    alone, mixed = sum(_bits(s.model_logprob) for s in scores), sum(_bits(s.logprob) for s in scores)
    assert counted.more() == pytest.approx([5, alone, mixed])
    request = ScoreRequest(model="tiny", context="the ", input=["fox", "the fox"], adaptive=True)
    scores = made.run(made.service.scorer.score(request, context())).data
    found = counted.more()
    assert found[0] == 4 + 3 + 7
    assert found[1] > sum(_bits(score.model_logprob) for score in scores)
    asking = NextRequest(model="tiny", input="the fox", adaptive=True)
    made.run(made.service.predictor.next(asking, context()))
    assert counted.more()[0] == 7
    drawing = CompletionRequest(model="tiny", prompt=["the fox", "a dog"], max_tokens=30, adaptive=True)
    made.run(made.service.completer.complete(drawing, context()))
    assert counted.more()[0] == 7 + 5


def test_what_is_drawn_or_read_again_or_not_learned_is_not_counted(made: InProcess) -> None:
    counted, sessions = Counted(made), Sessions(made, MemoryStore())
    sessions.create(prime="the fox " * 50, adaptive=True)
    counted.more()
    made.run(sessions.calls.text.sample("one", SampleRequest(max_tokens=20), owner_context()))
    made.run(sessions.calls.rewind("one", RewindRequest(num_chars=40), owner_context()))
    sessions.create("plain", prime="the fox")
    sessions.feed("the dog", "plain")
    assert counted.more() == [0, 0, 0]


def test_nothing_is_counted_before_a_text_is_learned(made: InProcess, server: LiveServer) -> None:
    assert made.metric("nextchar_adaptive_chars_total", **_OF_TINY) == 0
    assert server.metric("nextchar_adaptive_lanes", **_OF_TINY) == 0
    assert server.metric("nextchar_adaptive_table_limit_bytes", **_OF_TINY) >= 256 << 20


def test_tables_that_are_kept_and_found_again_are_counted(server: LiveServer) -> None:
    def value(name: str, **labels: str) -> float:
        return server.metric(f"nextchar_adaptive_{name}", model="refusing", **labels)

    session = Session.create(server, model="refusing", prime="the fox " * 20, adaptive=True)
    assert (value("hot_tables"), value("tables_total")) == (1, 0)  # it began with nothing to build
    assert 0 < value("hot_table_bytes") <= value("table_limit_bytes")
    for _ in range(3):
        session.do("feed", text="a")
    assert (value("tables_total", origin="hot"), value("tables_total", origin="built")) == (3, 0)
