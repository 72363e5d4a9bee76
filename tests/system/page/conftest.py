"""One browser, and one server of the shipped models."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, chromium
from support.live_server import LiveServer, live_server

STATE_KEY = "a key that two servers share, for sealed states"


@pytest.fixture(scope="session")
def shipped_models() -> Path:
    return Path(__file__).parents[3] / "models"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def shipped(browser: Browser, shipped_models: Path) -> Iterator[LiveServer]:
    assert browser  # where there is none, no server is started
    with live_server(shipped_models, state_key=STATE_KEY) as running:
        yield running


@pytest.fixture(scope="session")
def elsewhere(browser: Browser, shipped_models: Path) -> Iterator[LiveServer]:
    """Another server that can open the first one's states."""
    assert browser
    with live_server(shipped_models, state_key=STATE_KEY) as running:
        yield running
