"""A tiny model for engines that are not ours."""

from pathlib import Path

import pytest
from support.tiny_models import TEXT, write_models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT}) / "tiny"
