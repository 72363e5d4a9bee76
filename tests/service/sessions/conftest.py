"""One real server with a session store in a file, for tests that leave it as it was; one without an API."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.in_process import Sessions, in_process
from support.live_server import LiveServer, live_server
from support.session_client import MODELS
from support.tiny_models import write_models
from support.valkey_server import ValkeyServer, valkey_server

from nextchar.schemas.limits import Limits, SessionLimits
from nextchar.service.sessions.stores.memory import MemoryStore


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), MODELS)


@pytest.fixture(scope="session")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(models, data_dir=tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey_server(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def sessions(models: Path) -> Iterator[Sessions]:
    """The use cases of sessions in this process, with small limits and a store of their own."""
    store = MemoryStore()
    limits = SessionLimits(max_checkpoints=2, ttl_seconds_by_model={"lines": 77.0})
    with in_process(models, store=store, session_limits=limits, limits=Limits(max_tokens=40)) as made:
        yield Sessions(made, store)
