"""The use case of tensors in this process, with small limits."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.in_process import InProcess, in_process

from nextchar.schemas.limits import Limits


@pytest.fixture(scope="module")
def tensors(models: Path) -> Iterator[InProcess]:
    limits = Limits(max_strings=200, max_input_chars=10, max_request_chars=300)
    with in_process(models, limits=limits) as made:
        yield made
