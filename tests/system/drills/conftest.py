"""One real server with a tiny model, which has what the servers that are killed should have."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import TEXT, write_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT})


@pytest.fixture(scope="session")
def alone(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as running:
        yield running
