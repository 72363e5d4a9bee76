"""The OpenAPI document is true, whole and stable, and its page loads nothing. `make contract` tries more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hardening.contract import MODELS, run
from support.live_server import LiveServer, live_server
from support.server_process import server_process
from support.tiny_models import write_models

from nextchar.rest.errors import ERROR_STATUSES

_VERBS = ("delete", "get", "head", "patch", "post", "put")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"), MODELS)


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[LiveServer]:
    with live_server(models) as running:
        yield running


@pytest.fixture(scope="module")
def document(server: LiveServer) -> dict:
    return httpx.get(server.url + "/openapi.json").json()


def test_whatever_is_sent_the_document_is_true(models: Path, tmp_path: Path) -> None:
    with server_process(models, "--log-level", "error") as served:
        status, num_cases, printed = run(
            served.url, tmp_path, examples=1, seed=1, phases="fuzzing", names=("named",)
        )
        assert status == 0, printed
        assert num_cases >= 40
        assert httpx.get(served.url + "/health").status_code == 200


def test_every_reference_leads_to_a_shape(document: dict) -> None:
    text = json.dumps(document)
    assert "$defs" not in text
    found = set(re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', text))
    assert found <= document["components"]["schemas"].keys()
    assert {"Error", "InferenceError", "ScoreRequest", "StreamOptions"} <= found


def test_every_part_of_a_path_is_a_parameter(document: dict) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            told = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
            assert told == re.findall(r"{(\w+)}", path)


def test_every_call_tells_the_statuses_of_its_errors(document: dict) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            told = set(map(int, operation["responses"]))
            assert 500 in told or (path.endswith(("generate", "generate_stream")) and 424 in told)
            if path.startswith("/v1/") and "requestBody" in operation:
                assert set(ERROR_STATUSES) <= told
            assert "HTTPValidationError" not in json.dumps(operation)


def test_the_document_is_the_same_each_time(models: Path, document: dict, server: LiveServer) -> None:
    assert httpx.get(server.url + "/openapi.json").json() == document
    with live_server(models) as other:
        assert httpx.get(other.url + "/openapi.json").text == httpx.get(server.url + "/openapi.json").text


def test_a_wrong_method_is_told_all_that_are_right(server: LiveServer, document: dict) -> None:
    with httpx.Client(base_url=server.url) as client:
        for path, operations in document["paths"].items():
            right = {*operations, *(["head"] if "get" in operations else [])}
            for verb in set(_VERBS) - right - {"head"}:  # which has no body to look at
                answer = client.request(verb, re.sub(r"\{\w+\}", "x", path))
                assert answer.status_code == 405, (verb, path)
                assert {name.lower() for name in answer.headers["allow"].split(", ")} == right


def test_what_is_no_path_is_an_error_of_the_right_shape(server: LiveServer) -> None:
    assert httpx.get(server.url + "/v1/none").json()["error"]["code"]
    assert isinstance(httpx.get(server.url + "/v2/none").json()["error"], str)
    for path in ("/v1/../models", "/%2e%2e/etc/passwd", "/v1/models/..%2f..%2fetc", "//v1/score"):
        assert httpx.get(server.url + path).status_code in (400, 404, 405)


def test_the_page_loads_nothing_and_runs_nothing(server: LiveServer, document: dict) -> None:
    answer = httpx.get(server.url + "/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<(script|link|img|iframe|object|form)\b|\bsrc=|@import|\burl\(", answer.text)
    assert set(re.findall(r"href='([^']*)'", answer.text)) <= (
        {"openapi.json"} | {f"#{name}" for name in document["components"]["schemas"]}
    )
    for path in document["paths"]:
        assert path in answer.text


def test_an_example_of_every_shape_is_taken(server: LiveServer, document: dict) -> None:
    """What the document gives as an example is a request that works, for a model that is there."""
    for path in ("/v1/score", "/v1/next", "/v1/completions", "/v1/sessions"):
        reference = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        fields = document["components"]["schemas"][reference["$ref"].rpartition("/")[2]]["properties"]
        body = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
        assert body["model"] == "shakespeare"
        for name in ("regex", "allowed_chars"):  # their characters are none of these small models'
            body.pop(name, None)
        answer = server.post(path, {**body, "model": "tiny"})
        assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize("path", ["/v1/completions", "/v2/models/tiny/generate"])
def test_an_unknown_field_that_is_null_is_unknown(server: LiveServer, path: str) -> None:
    oip = path.startswith("/v2")
    body = {"text_input": "a", "parameters": {"": None}} if oip else {"model": "tiny", "": None}
    answer = server.post(path, body)
    assert answer.status_code == (422 if oip else 400), answer.text
    assert "unknown field" in answer.text
