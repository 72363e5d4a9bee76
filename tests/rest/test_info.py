from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server

from nextchar import __version__
from nextchar.schemas.completion import CompletionRequest
from nextchar.schemas.score import NextRequest, ScoreRequest


@pytest.mark.parametrize(
    "path", ["/v2/health/live", "/v2/health/ready", "/livez", "/readyz", "/health", "/version", "/docs"]
)
def test_probes_and_pages_answer(server: LiveServer, path: str) -> None:
    assert server.get(path).status_code == 200


def test_the_version_is_the_packages(server: LiveServer) -> None:
    assert server.get("/version").json() == {"version": __version__}


def test_models_are_listed(server: LiveServer) -> None:
    listed = server.get("/v1/models").json()
    assert listed["object"] == "list"
    assert {m["id"] for m in listed["data"]} == {"tiny", "lines", "refusing", "bytes"}
    one = server.get("/v1/models/tiny").json()
    assert (one["cell"], one["precision"], one["version"], one["ready"]) == ("lstm", "int8", "1", True)
    assert one["card"]["vocabulary"]["unit"] == "text"


def test_openapi_tells_every_field(server: LiveServer) -> None:
    document = server.get("/openapi.json").json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    for path, schema in (
        ("/v1/score", ScoreRequest),
        ("/v1/next", NextRequest),
        ("/v1/completions", CompletionRequest),
    ):
        body = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": f"#/components/schemas/{schema.__name__}"}
        assert set(schemas[schema.__name__]["properties"]) == set(schema.model_fields)


def test_the_request_id_comes_back_if_it_is_one(server: LiveServer) -> None:
    def id_of(given: str | None, body: dict) -> str:
        headers = {} if given is None else {"X-Request-Id": given.encode("latin-1")}
        return server.post("/v1/score", body, headers=headers).headers["x-request-id"]

    good, bad = {"model": "tiny", "input": ["a"]}, {"model": "none", "input": ["a"]}
    for body in (good, bad):
        assert id_of("my-id:1", body) == "my-id:1"
        for other in (None, "x" * 129, "two words", "a\tb", "a\xa0b", "é"):
            assert len(id_of(other, body)) == 32, other


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/models/", "../models"),
        ("/v1/models/tiny/", "../tiny"),
        ("/v1/sessions/?limit=2&after=a%20b", "../sessions?limit=2&after=a%20b"),
        ("/docs/", "../docs"),
        ("/v1/score/", "../score"),
    ],
)
def test_a_slash_too_much_leads_to_the_path_wherever_a_proxy_has_it(
    server: LiveServer, path: str, place: str
) -> None:
    answer = server.request("POST" if "score" in path else "GET", path)
    assert (answer.status_code, answer.headers["location"]) == (307, place)


@pytest.mark.parametrize("path", ["/none/", "/v1/models//", "/v1/models/tiny/none/", "/"])
def test_it_leads_nowhere_where_nothing_is(models: Path, path: str) -> None:
    with live_server(models, playground=False) as server:
        assert server.get(path).status_code == 404
