"""A client of another server is told where it finds what it asks for, also where a key is needed."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.live_server import Keyed, LiveServer, keyed_server

from nextchar.security.principal import Scope


@pytest.fixture(scope="module")
def keyed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_server(models, tmp_path_factory.mktemp("keys"), [Scope.METRICS]) as made:
        yield made


@pytest.fixture(params=["without a key", "with a key"])
def doors(request: pytest.FixtureRequest) -> Keyed:
    if request.param == "with a key":
        found: Keyed = request.getfixturevalue("keyed")
        return found
    return request.getfixturevalue("server"), ""


def asked(doors: Keyed, method: str, path: str) -> httpx.Response:
    server, key = doors
    return server.request(method, path, headers={"X-API-Key": key} if key else {})


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/chat/completions", "send the text as prompt to /v1/completions"),
        ("/chat/completions", "send the text as prompt to /v1/completions"),
        ("/v1/chat/completions/", "send the text as prompt to /v1/completions"),
        ("/v1/responses", "send the text as prompt to /v1/completions"),
        ("/v1/messages", "send the text as prompt to /v1/completions"),
        ("/api/chat", "send the text as prompt to /v1/completions"),
        ("/v1/embeddings", "/v1/inspect returns hidden states"),
        ("/completions", "the base URL of OpenAI's clients ends in /v1"),
        ("/v1/v1/completions", "POST /v1/completions"),
        ("/completion", "POST /v1/completions"),
        ("/api/generate", "POST /v1/completions"),
        ("/generate", "/v2/models/{model}/generate"),
        ("/models", "GET /v1/models"),
        ("/v1/tokenize", "POST /tokenize"),
        ("/v1/nothing", "/docs lists the routes"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_route_of_another_server_says_where_to_go(doors: Keyed, method: str, path: str, told: str) -> None:
    answer = asked(doors, method, path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "not_found", None)
    assert error["message"].startswith(f"there is no route {method} {path}; ")
    assert told in error["message"]


def test_the_routes_that_are_named_are_there(server: LiveServer) -> None:
    routes = server.get("/openapi.json").json()["paths"]
    named = {"/v1/completions", "/v1/inspect", "/v1/score", "/v1/models", "/tokenize", "/detokenize"}
    assert named <= routes.keys()


def test_a_slash_too_many_is_taken_away(doors: Keyed) -> None:
    answer = asked(doors, "POST", "/v1/completions/?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (307, "../completions?a=b")


def test_what_is_in_no_table_needs_a_key_and_opens_nothing(keyed: Keyed) -> None:
    server, _ = keyed
    assert server.post("/v1/chat/completions", {}).status_code == 401
    for path in (
        "/v1/score%0A",
        "/v1/sessions%0A",
        "/openapi.json%0A",
    ):  # the router alone takes these for ours
        for method in ("GET", "POST"):
            assert asked(keyed, method, path).status_code == 404
    assert asked(keyed, "POST", "/v1/score").status_code == 403
