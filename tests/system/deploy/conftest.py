"""What the tests of the image and the chart share."""

from pathlib import Path

import pytest
from helm_program import ci_file
from support.tiny_models import TEXT, write_models

__all__ = ["ci_file"]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT})
