"""One real server for the clients of other people."""

from collections.abc import Iterator

import pytest
from support.live_server import LiveServer, live_server
from support.tiny_models import LINES, TEXT, write_models


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    models = write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT, "lines": LINES})
    with live_server(models, default_model="tiny") as running:
        yield running
