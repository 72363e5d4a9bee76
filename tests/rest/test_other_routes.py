"""A client of another server is told where it finds what it asks for."""

import pytest
from support.live_server import LiveServer


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
def test_a_route_of_another_server_says_where_to_go(
    server: LiveServer, method: str, path: str, told: str
) -> None:
    answer = server.request(method, path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "not_found", None)
    assert error["message"].startswith(f"there is no route {method} {path}; ")
    assert told in error["message"]


def test_the_routes_that_are_named_are_there(server: LiveServer) -> None:
    routes = server.get("/openapi.json").json()["paths"]
    named = {"/v1/completions", "/v1/inspect", "/v1/score", "/v1/models", "/tokenize", "/detokenize"}
    assert named <= routes.keys()
