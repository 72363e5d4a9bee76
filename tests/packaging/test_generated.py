"""Files that are made from definitions in the code are as they would be made now."""

import pytest
from operations.__main__ import FILES, current


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_as_it_would_be_made_now(name: str) -> None:
    assert current(name) == FILES[name](), f"{name} is out of date: make docs"
