"""Every field of every body at its edges: an answer or the client's error, never a status 500."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

import httpx
import pytest
from pydantic import BaseModel
from rest.test_request_options import BODIES
from support.live_server import TLS, LiveServer

from nextchar.errors import InvalidRequest
from nextchar.rest.app import RestApp
from nextchar.rest.body import BodyRules
from nextchar.rest.route import RestRoute

BASES: dict[str, dict[str, Any]] = {
    **BODIES,
    "ForkRequest": {},
    "CheckpointRequest": {"name": "here"},
    "RenewRequest": {},
    "ReloadRequest": {},
    "RewindRequest": {"num_chars": 0},
}
HERE = "@@"
# Values as they are written in JSON, or as what is not JSON.
NUMBERS = [
    *(str(sign * 2**power + more) for sign in (1, -1) for power in (31, 63, 64) for more in (-1, 0, 1)),
    *(str(2**1000), "9" * 4000, "9" * 6000, "0", "-0", "-1", "1", "-0.0", "0.5", "1e308", "-1e308"),
    *("1e400", "-1e400", "5e-324", "1e-400", "NaN", "Infinity", "-Infinity", "1" + "0" * 400 + ".5"),
]
OTHERS = [
    *(
        "true",
        "null",
        '""',
        '"1"',
        '"-1"',
        '"\\u0000"',
        '"a\\u0000b"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\ud83d"',
    ),
    *(
        '"\\uffff"',
        '"../.."',
        '"tiny:' + "9" * 5000 + '"',
        '"' + "x" * 2000 + '"',
        "[]",
        "{}",
        "[[]]",
        "[null]",
    ),
    *('{"a":1}', '{"":{}}', "[" * 150 + "]" * 150, "[" * 2000 + "]" * 2000, "[" * 2000, '{"a":' * 2000),
]
HARMFUL = {500, 501, 502}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def places(base: dict[str, Any], schema: type[BaseModel]) -> Iterator[dict[str, Any]]:
    """Yields bodies with a mark in place of each value, alone, in lists and in an object, and of a name."""
    for field, info in schema.model_fields.items():
        name = info.alias or field
        yield from ({**base, name: shape} for shape in (HERE, [HERE], [[HERE]], {"a": HERE}, {HERE: 1}))
        for inner in models_in(info.annotation):
            given = base.get(name) or {}
            listed = isinstance(given, list)
            for part in places(given[0] if listed else given, inner):
                yield {**base, name: [part] if listed else part}
    yield {**base, HERE: 1}


def bodies(route: RestRoute) -> Iterator[bytes]:
    """Yields the bodies of a route that are read without an error."""
    rules = BodyRules()
    for place in places(BASES.get(route.body.__name__, {}), route.body):
        before, _, after = json.dumps(place).partition(f'"{HERE}"')
        for value in [*NUMBERS, *OTHERS]:
            body = f"{before}{value}{after}".encode()
            with suppress(InvalidRequest):
                rules.read_json(route.body, body)
                yield body


def routes(server: LiveServer) -> dict[str, RestRoute]:
    """Returns a route of each body, by its path."""
    app = RestApp(server.app.service, max_body_bytes=1, request_timeout_seconds=1)
    found = [route for route in app.routes if route.body is not None]
    of_each = {route.body: route for route in found if "/repository/" not in route.path}
    return {route.path: route for route in of_each.values()}


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=TLS) as made:
        yield made


def test_every_value_of_every_body_is_taken_or_refused(server: LiveServer, client: httpx.Client) -> None:
    client.post("/v1/sessions", json={"model": "tiny", "session_id": "edges"})
    names = {"session_id": "edges", "model": "tiny", "version": "1"}
    tried = set()
    for path, route in routes(server).items():
        tried.add(route.body.__name__)
        place = re.sub(r"\{(\w+)\}", lambda part: names[part[1]], path)
        for body in bodies(route):
            answer = client.post(place, content=body)
            assert answer.status_code not in HARMFUL, (place, body[:300], answer.text)
    assert tried == BASES.keys()
    assert client.get("/v2/health/ready").status_code == 200
    assert client.post("/v1/score", json={"model": "tiny", "input": ["a"]}).status_code == 200
