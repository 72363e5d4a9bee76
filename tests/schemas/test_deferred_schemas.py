"""What pydantic validates with is made behind a server's start, or by the first request that needs it."""

import subprocess
import sys

_LOOK = """
import asyncio
import nextchar.rest.app
from nextchar.schemas.base import build_schemas
from nextchar.schemas.score import ScoreRequest
from nextchar.schemas.sessions import SessionInfo
kinds = (ScoreRequest, SessionInfo)
print([kind.__pydantic_complete__ for kind in kinds])
{then}
print([kind.__pydantic_complete__ for kind in kinds])
"""


def look(then: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", _LOOK.format(then=then)], check=True, capture_output=True, text=True
    )
    return run.stdout.split("\n")[:2]


def test_importing_the_ports_makes_none_of_them() -> None:
    assert look("asyncio.run(build_schemas())") == ["[False, False]", "[True, True]"]


def test_the_first_request_makes_its_own() -> None:
    assert look('ScoreRequest(model="m", input=["a"])') == ["[False, False]", "[True, False]"]
