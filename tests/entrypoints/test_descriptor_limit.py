"""How many connections a limit of open files leaves room for."""

import logging
import resource
from pathlib import Path

import pytest

from nextchar.entrypoints.descriptor_limit import RESERVED_DESCRIPTORS, fit_connections, fitting_connections
from nextchar.entrypoints.settings import Settings


def limited(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> list[tuple[int, int]]:
    """Makes the process have these limits; returns those that it sets for itself."""
    made: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: made[-1] if made else (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: made.append(limits))
    return made


@pytest.mark.parametrize(("soft", "hard"), [(1024, 2**20), (1024, resource.RLIM_INFINITY), (2**20, 2**20)])
def test_a_limit_that_may_be_raised_is_and_nothing_is_lowered(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int
) -> None:
    made = limited(monkeypatch, soft, hard)
    settings = Settings(models=Path("models"))
    assert fit_connections(settings).max_connections == settings.max_connections
    needed = 2 * settings.max_connections + RESERVED_DESCRIPTORS
    assert made == ([] if soft >= needed else [(needed, hard)])


def test_connections_that_do_not_fit_are_fewer_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = limited(monkeypatch, 256, 1024)
    with caplog.at_level(logging.WARNING):
        fitted = fit_connections(Settings(models=Path("models"), max_connections=1000))
    assert fitted.max_connections == (1024 - RESERVED_DESCRIPTORS) // 2
    assert made == [(1024, 1024)]
    assert "may have 1024 files open" in caplog.text
    assert str(2 * 1000 + RESERVED_DESCRIPTORS) in caplog.text


def test_a_setting_that_fits_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    limited(monkeypatch, 1024, 1024)
    settings = Settings(models=Path("models"), max_connections=50)
    assert fit_connections(settings) is settings
    assert caplog.text == ""


@pytest.mark.parametrize("allowed", [16, 64, 256, 400, 1024, 65536])
def test_both_apis_together_leave_room_for_the_rest(allowed: int) -> None:
    fitting = fitting_connections(allowed)
    assert fitting >= 1
    assert allowed - 2 * fitting >= min(RESERVED_DESCRIPTORS, 3 * allowed // 4)
