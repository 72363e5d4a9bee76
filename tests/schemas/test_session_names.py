"""Names that are parts of paths: none of them is one that an HTTP client resolves before it sends it."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from nextchar.model.names import is_model_name
from nextchar.schemas.sessions import CheckpointRequest, CreateSessionRequest, ForkRequest, is_session_id

_NAMES = st.text("ab.-_9", min_size=1, max_size=6)


def accepts(schema: type[BaseModel], **fields: object) -> bool:
    try:
        schema.model_validate(fields)
    except ValidationError:
        return False
    return True


@given(_NAMES)
def test_a_name_that_is_accepted_arrives_as_it_is(name: str) -> None:
    arrives = httpx.URL(f"http://host/v1/sessions/{name}/feed").path == f"/v1/sessions/{name}/feed"
    resolved = name in (".", "..")
    assert arrives or resolved
    assert accepts(CreateSessionRequest, model="m", session_id=name) is not resolved
    assert accepts(ForkRequest, session_id=name) is not resolved
    assert accepts(CheckpointRequest, name=name) is not resolved
    assert is_session_id(name) is not resolved
    assert not (is_model_name(name) and resolved)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "é", "a\n", "a" * 129])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert not accepts(CreateSessionRequest, model="m", session_id=name)
    assert not is_session_id(name)


def test_names_are_bounded() -> None:
    assert is_session_id("a" * 128)
    assert accepts(CheckpointRequest, name="." * 64)
    assert not accepts(CheckpointRequest, name="a" * 65)
