"""A tiny model, and a judge that asks it, for servers under observation."""

from pathlib import Path

import pytest
from service.judging.served_judges import write_judge
from support.tiny_models import TEXT


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("observed")
    write_judge(folder, model=TEXT, model_name="tiny")
    return folder / "models"
