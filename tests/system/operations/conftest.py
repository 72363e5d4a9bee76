"""Tiny models for servers under observation."""

from pathlib import Path

import pytest
from support.tiny_models import TEXT, write_models


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT})
