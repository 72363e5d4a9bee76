"""One real server with a session store in a file, for the tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.session_client import MODELS
from support.tiny_models import write_models
from support.valkey_server import ValkeyServer, valkey_server


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
