"""Each route that runs a model is there once more with the model in its path."""

from typing import Any

import pytest
from service.test_no_model_named import BODIES
from support.live_server import LiveServer


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("model", ["tiny", "lines", "bytes:1"])
def test_the_path_names_the_model(server: LiveServer, path: str, model: str) -> None:
    def answer(prefix: str, fields: dict[str, Any]) -> dict[str, Any]:
        found = server.post(prefix + path, BODIES[path] | fields)
        assert found.status_code == 200, found.text
        return {name: value for name, value in found.json().items() if name not in ("id", "created")}

    named = {"model": model}
    assert answer(f"/models/{model}", {}) == answer(f"/models/{model}", named) == answer("", named)


def test_the_symbols_are_the_models_too(server: LiveServer) -> None:
    assert (
        server.get("/models/lines/tokenizer_info").json() == server.get("/tokenizer_info?model=lines").json()
    )


def test_a_client_that_lists_models_there_finds_that_one(server: LiveServer) -> None:
    listed = server.get("/models/lines/v1/models").json()["data"]
    assert [model["id"] for model in listed] == ["lines"]
    assert listed[0] in server.get("/v1/models").json()["data"]
    assert server.get("/models/lines/v1/models/lines").json() == server.get("/v1/models/lines").json()
    assert server.get("/models/none/v1/models").status_code == 404


def test_another_model_in_the_body_is_refused(server: LiveServer) -> None:
    answer = server.post("/models/tiny/v1/completions", {"model": "lines", "prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert "model is 'lines', the path names 'tiny'" in answer.json()["error"]["message"]
    assert server.post("/models/none/v1/completions", {"prompt": "a"}).status_code == 404


@pytest.mark.parametrize("path", ["/tokenizer_info?model=lines", "/v1/models/lines"])
def test_another_model_in_the_query_or_the_path_is_refused(server: LiveServer, path: str) -> None:
    answer = server.get(f"/models/tiny{path}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert "model is 'lines', the path names 'tiny'" in answer.json()["error"]["message"]
    assert server.get(f"/models/lines{path}").status_code == 200


def test_a_stream_has_its_model_in_the_path(server: LiveServer) -> None:
    with server.stream("/models/lines/v1/completions", {"prompt": "a", "stream": True}) as answer:
        assert answer.status_code == 200
        assert '"model":"lines"' in answer.read().decode()


def test_the_document_has_each_route_once(server: LiveServer) -> None:
    assert not [path for path in server.get("/openapi.json").json()["paths"] if path.startswith("/models")]
