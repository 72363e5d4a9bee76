"""Whether a server takes work, and what it says to the person who asks why not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.in_process import InProcess, in_process
from support.replacing import replace_in

from nextchar.errors import Unavailable
from nextchar.service import lifecycle as service_lifecycle


@pytest.fixture
def made(models: Path) -> Iterator[InProcess]:
    with in_process(models) as running:
        yield running


def test_it_is_ready_until_it_fails_and_the_first_reason_is_kept(made: InProcess) -> None:
    state = made.service.lifecycle
    assert (state.ready, state.status, state.draining) == (True, "ok", False)
    state.check_accepting()
    state.fail("the first task has failed")
    state.fail("another has")
    assert (state.ready, state.status, state.draining) == (False, "the first task has failed", False)
    state.check_accepting()  # a client that comes anyway is answered as well as can be
    state.drain(1.0)
    assert (state.ready, state.status, state.draining) == (False, "draining", True)


def test_without_a_model_it_is_not_ready(made: InProcess) -> None:
    for model in made.service.served_models:
        made.service.served_models.retire(model.name, model.version)
    assert (made.service.lifecycle.ready, made.service.lifecycle.status) == (False, "no model is served")


@pytest.mark.parametrize(
    ("timeout", "work", "later", "wait"),
    [
        (30.0, 12.0, 0.0, 12.0),
        (30.0, 99.0, 0.0, 30.0),
        (30.0, 99.0, 25.0, 5.0),
        (30.0, 0.0, 0.0, 1.0),
        (5.0, 9.0, 9.0, 1.0),
    ],
)
def test_who_comes_while_it_drains_is_told_when_it_is_gone(
    made: InProcess, monkeypatch: pytest.MonkeyPatch, timeout: float, work: float, later: float, wait: float
) -> None:
    now = 1000.0
    replace_in(monkeypatch, service_lifecycle, "time", monotonic=lambda: now)
    monkeypatch.setattr(made.service.served_models, "seconds_left", lambda: work)
    made.service.lifecycle.drain(timeout)
    now += later
    with pytest.raises(Unavailable) as told:
        made.service.lifecycle.check_accepting()
    assert (told.value.code, told.value.retry_after_seconds) == ("draining", wait)
    assert told.value.message == "the server is shutting down; try another replica"
