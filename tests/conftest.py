"""One real server with four tiny models, shared by the tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import BYTES, LINES, REFUSING, TEXT, write_models

MODELS = {"tiny": TEXT, "lines": LINES, "refusing": REFUSING, "bytes": BYTES}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), MODELS)


@pytest.fixture(scope="session")
def server(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as running:
        yield running
