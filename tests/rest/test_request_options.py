"""Every route whose requests have options gives them to the context of the request before any work begins."""

import re
from typing import Any

import pytest
from support.live_server import LiveServer
from support.observed import observed
from support.oip_client import body as tensors

from nextchar.rest.app import RestApp
from nextchar.rest.route import RestRoute

SECONDS, PRIORITY = 7.0, 5
OPTIONS = {"timeout": SECONDS, "priority": PRIORITY}
# The required fields of each body that has options; a new one needs a row here.
BODIES: dict[str, dict[str, Any]] = {
    "ScoreRequest": {"model": "tiny", "input": ["a"]},
    "CompareRequest": {"model": "tiny", "input": ["a", "b"]},
    "NextRequest": {"model": "tiny", "input": "a"},
    "CompletionRequest": {"model": "tiny", "max_tokens": 1},
    "TokenizeRequest": {"model": "tiny", "prompt": "a"},
    "DetokenizeRequest": {"model": "tiny", "tokens": [1]},
    "InspectRequest": {"model": "tiny", "input": "a"},
    "CreateSessionRequest": {"model": "tiny"},
    "FeedRequest": {"text": "a"},
    "SessionNextRequest": {},
    "SessionScoreRequest": {"input": ["a"]},
    "SampleRequest": {"max_tokens": 1},
    "RewindRequest": {"num_chars": 0},
    "GenerateRequest": {"text_input": "a"},
    "InferBody": tensors(["a"]),
    "JudgeRequest": {"judge": "words", "input": ["a"]},
}
WITHOUT_OPTIONS = {"ForkRequest", "CheckpointRequest", "RenewRequest", "ReloadRequest"}


def routes(server: LiveServer) -> list[RestRoute]:
    app = RestApp(server.app.service, max_body_bytes=1, request_timeout_seconds=1)
    return [route for route in app.routes if route.label is not None and route.body is not None]


def with_options(schema: str) -> dict[str, Any]:
    """A body of a schema with options, wherever it has them."""
    body = BODIES[schema]
    if schema == "GenerateRequest":
        return {**body, "parameters": {**OPTIONS, "max_tokens": 1}}
    if schema == "InferBody":  # microseconds, and Triton's levels: 1 is 0 of ours
        return {**body, "parameters": {"timeout": int(SECONDS * 1e6), "priority": PRIORITY + 1}}
    return {**body, **OPTIONS}


def test_every_route_gives_the_options_of_its_requests_to_their_context(server: LiveServer) -> None:
    session = server.post("/v1/sessions", {"model": "tiny"}).json()["session_id"]
    names = {"session_id": session, "model": "tiny", "version": "1"}
    tried = set()
    for route in routes(server):
        schema = route.body.__name__
        if schema in WITHOUT_OPTIONS:
            continue
        path = re.sub(r"\{(\w+)\}", lambda part: names[part[1]], route.path)
        with observed(server) as found:
            answer = server.post(path, with_options(schema))
        assert answer.is_success, (path, answer.text)
        assert [(seconds, priority) for seconds, priority, _ in found] == [
            (pytest.approx(SECONDS), PRIORITY)
        ], path
        tried.add(schema)
    assert tried == set(BODIES)


def test_a_request_without_options_has_the_servers_time_and_the_default_priority(server: LiveServer) -> None:
    session = server.post("/v1/sessions", {"model": "tiny"}).json()["session_id"]
    with observed(server) as found:
        assert server.post(f"/v1/sessions/{session}/fork", {}).status_code == 201
        assert server.get(f"/v1/sessions/{session}").status_code == 200
        assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
        assert server.post("/v1/next", {"model": "tiny"}).status_code == 400
    limit = server.settings.request_timeout_seconds
    assert [(seconds, priority) for seconds, priority, _ in found] == [(pytest.approx(limit), 0)] * 4


def test_the_id_in_a_body_is_the_requests(server: LiveServer) -> None:
    for stream in (False, True):
        body = {"model": "tiny", "max_tokens": 1, "request_id": "his", "stream": stream}
        headers = {"X-Request-Id": "the-header's"}
        with observed(server) as found:
            answer = server.post("/v1/completions", body, headers=headers)
        assert answer.headers["x-request-id"] == "his"
        assert "cmpl-his" in answer.text
        assert [request_id for _, _, request_id in found] == ["his"]
