"""A tiny model, and a judge with its own, for engines that are not ours."""

from pathlib import Path

import pytest
from service.judging.served_judges import write_judge
from support.tiny_models import TEXT, write_models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), {"tiny": TEXT}) / "tiny"


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a judge; that of its model is beside it."""
    return write_judge(tmp_path_factory.mktemp("judging")).parent
