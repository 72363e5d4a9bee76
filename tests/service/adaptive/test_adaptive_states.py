"""States of adaptive texts: into a new version, and beside what a request asks for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.in_process import InProcess, Sessions, context, in_process, owner_context
from support.tiny_models import TEXT, TinyModel, write_models

from nextchar.engine.adaptive import options
from nextchar.errors import InvalidRequest
from nextchar.model.vocabulary import Vocabulary
from nextchar.schemas import adaptive as bounds
from nextchar.schemas.limits import SessionLimits
from nextchar.schemas.score import NextRequest, ScoreRequest
from nextchar.schemas.sessions import RewindRequest
from nextchar.service.sessions.state import SessionState
from nextchar.service.sessions.stores.memory import MemoryStore

_FEWER = Vocabulary(tuple(" abcdefghijklmno"), unknown="refuse")
_PRIME = "the quick brown fox. " * 30
_CHOICES = {"orders": [1, 3], "window": 1024, "learn_drawn": True}


def _state(sessions: Sessions) -> SessionState:
    manager = sessions.made.service.session_manager
    return sessions.made.run(manager.open(owner_context(), "one")).state


def _renewed(made: InProcess, folder: Path, model: TinyModel) -> None:
    """Serves version 2 and lets version 1 go."""
    write_models(folder, {"tiny": model}, version=2)
    made.run(made.service.model_manager.load("tiny:2"))
    manager, served = made.service.model_manager, made.service.served_models
    manager.unload("tiny:1")
    found = served.running("tiny", "1")
    assert found is not None
    manager._retired.remove(found)


@pytest.mark.parametrize(
    "newer",
    [
        TinyModel(seed=4),
        TinyModel(seed=9, vocabulary=Vocabulary(tuple(" abcdefghijklmno"), unknown="refuse")),
    ],
    ids=["same characters", "fewer characters"],
)
def test_a_new_version_keeps_what_was_learned_and_can_be_rewound(tmp_path: Path, newer: TinyModel) -> None:
    folder = write_models(tmp_path / "models", {"tiny": TEXT})
    limits, store = SessionLimits(replays=True), MemoryStore()
    with in_process(folder, store=store, session_limits=limits) as made:
        sessions = Sessions(made, store)
        sessions.create(prime=_PRIME, adaptive=_CHOICES)
        _renewed(made, folder, newer)
        info = sessions.info()
        assert (info.model_version, info.position) == ("2", len(_PRIME))
        assert info.adaptive is not None
        assert info.adaptive.model_dump() == _CHOICES
        replayed = _state(sessions)
        assert replayed.here.memory is not None
        known = newer.vocabulary
        text = "".join(c for c in _PRIME if c in known.characters)
        assert known.decode(replayed.here.memory.ids.astype(np.int64)) == text
        before = sessions.feed("ab", **{"return": "last"})
        made.run(sessions.calls.rewind("one", RewindRequest(num_chars=42), owner_context()))
        again = sessions.feed(text[-40:] + "ab", **{"return": "last"})
        assert list(again.data) == list(before.data)


def test_a_request_may_not_ask_for_other_choices_than_its_state_has(models: Path) -> None:
    with in_process(models) as made:
        service = made.service

        def state(adaptive: Any) -> bytes:
            request = NextRequest(model="tiny", input="ab", return_state=True, adaptive=adaptive)
            found = made.run(service.predictor.next(request, context())).state
            assert found is not None
            return found

        learned, plain = state(_CHOICES), state(None)
        for adaptive in (True, _CHOICES, None, {}):
            request = ScoreRequest(model="tiny", input=["ab"], state=learned, adaptive=adaptive)
            assert made.run(service.scorer.score(request, context())).data[0].model_logprob is not None
        for adaptive, sealed, told in (({"window": 2048}, learned, "other"), (True, plain, "not learned")):
            request = ScoreRequest(model="tiny", input=["ab"], state=sealed, adaptive=adaptive)
            with pytest.raises(InvalidRequest, match=told) as caught:
                made.run(service.scorer.score(request, context()))
            assert caught.value.param == "adaptive"


def test_the_bounds_that_are_told_are_the_engines(models: Path) -> None:
    told = (bounds.MAX_ORDERS, bounds.MAX_ORDER, bounds.MIN_WINDOW, bounds.MAX_WINDOW)
    assert told == (options.NUM_ORDERS, options.MAX_ORDER, options.MIN_WINDOW, options.MAX_WINDOW)
    with in_process(models) as made:
        report = made.service.limits_report.limits().request
    assert told == (
        report.max_adaptive_orders,
        report.max_adaptive_order,
        report.min_adaptive_window,
        report.max_adaptive_window,
    )
    usual, engines = bounds.AdaptiveOptions(), options.Adaptive()
    assert (tuple(usual.orders), usual.window) == (engines.orders, engines.window)
    assert usual.learn_drawn == engines.learns_drawn
