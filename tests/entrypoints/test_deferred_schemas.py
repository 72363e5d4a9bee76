"""What pydantic validates with is made behind a server's start, or by the first request that needs it."""

import subprocess
import sys

import pytest

_LOOK = """
import asyncio
import nextchar.rest.app
from nextchar.schemas.base import build_schemas
from nextchar.schemas.score import ScoreRequest
from nextchar.schemas.sessions import SessionInfo
def look():
    print(*(kind.__pydantic_complete__ for kind in (ScoreRequest, SessionInfo)))
look()
ScoreRequest(model="m", input=["a"])
look()
asyncio.run(build_schemas())
look()
"""


@pytest.fixture(scope="module")
def looks() -> list[str]:
    """Which of two schemas are built in a new process after the import, a request, and all of them."""
    run = subprocess.run([sys.executable, "-c", _LOOK], check=True, capture_output=True, text=True)
    return run.stdout.splitlines()


def test_importing_the_ports_makes_none_of_them(looks: list[str]) -> None:
    assert looks[0] == "False False"


def test_the_first_request_makes_its_own(looks: list[str]) -> None:
    assert looks[1] == "True False"


def test_the_server_makes_them_all(looks: list[str]) -> None:
    assert looks[2:] == ["True True"]
