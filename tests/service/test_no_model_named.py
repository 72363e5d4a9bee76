"""A request that names no model is answered as one that names the default model, at every door."""

from typing import Any

import pytest
from support.live_server import LiveServer
from support.rpc_answers import same
from support.session_client import Session

from nextchar.client import Client
from nextchar.pb import nextchar_pb2 as pb

BODIES = {
    "/v1/score": {"input": ["hello"]},
    "/v1/compare": {"input": ["hello", "b"]},
    "/v1/next": {"input": "hel"},
    "/v1/completions": {"prompt": "ab", "seed": 1},
    "/v1/inspect": {"input": "ab"},
    "/tokenize": {"prompt": "ab"},
    "/detokenize": {"tokens": [3]},
}


@pytest.fixture(scope="module")
def default(server: LiveServer) -> str:
    (name,) = (model["id"] for model in server.get("/v1/models").json()["data"] if model["default"])
    return str(name)


def test_the_default_model_is_marked_where_models_are_told(server: LiveServer, default: str) -> None:
    assert server.get(f"/v1/models/{default}").json()["default"] is True
    assert server.get("/v1/models/lines").json()["default"] is False


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("unnamed", [{}, {"model": None}, {"model": ""}])
def test_every_route_takes_the_default_model(
    server: LiveServer, default: str, path: str, unnamed: dict[str, Any]
) -> None:
    def answer(fields: dict[str, Any]) -> dict[str, Any]:
        found = server.post(path, BODIES[path] | fields)
        assert found.status_code == 200, found.text
        return {name: value for name, value in found.json().items() if name not in ("id", "created")}

    assert answer(unnamed) == answer({"model": default})
    assert answer(unnamed)["model"] == default


def test_the_routes_of_this_table_are_all_that_have_a_model(server: LiveServer) -> None:
    document = server.get("/openapi.json").json()
    schemas, with_model = document["components"]["schemas"], set()
    for path, operations in document["paths"].items():
        body = operations.get("post", {}).get("requestBody")
        schema = (
            schemas[body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]] if body else {}
        )
        if "model" in schema.get("properties", {}):
            with_model.add(path)
            assert "model" not in schema.get("required", [])
    assert with_model == {*BODIES, "/v1/sessions"}


def test_grpc_takes_it_too(server: LiveServer, default: str) -> None:
    with server.stub() as stub:
        same(
            stub.Score(pb.ScoreRequest(input=["hello"])), server.post("/v1/score", BODIES["/v1/score"]).json()
        )
        same(stub.Next(pb.NextRequest(input="hel")), server.post("/v1/next", BODIES["/v1/next"]).json())
        same(stub.TokenizerInfo(pb.TokenizerInfoRequest()), server.get("/tokenizer_info").json())
        same(
            stub.TokenizerInfo(pb.TokenizerInfoRequest(model="")), server.get("/tokenizer_info?model=").json()
        )
        assert stub.Tokenize(pb.TokenizeRequest(prompt="ab")).model == default
        assert stub.Detokenize(pb.DetokenizeRequest(tokens=[3])).model == default
        assert stub.Compare(pb.CompareRequest(input=["a", "b"])).model == default
        assert stub.Inspect(pb.InspectRequest(input="a")).model == default
        assert {part.model for part in stub.Complete(pb.CompletionRequest(prompt="ab"))} == {default}
        assert [a.model for a in stub.ScoreStream(iter([pb.ScoreRequest(input=["a"])]))] == [default]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_our_client_need_not_name_it(server: LiveServer, default: str, scheme: str) -> None:
    with Client(server.url if scheme == "http" else f"grpc://{server.grpc_address}") as client:
        assert client.score(["a"]).model == client.next("a").model == client.complete("a").model == default
        assert client.compare(["a", "b"]).model == client.inspect("a").model == default
        assert {part.model for part in client.stream("a")} == {default}
        assert len(list(client.score_stream(["a", "b"]))) == 2
        with client.session() as session:
            assert session.opened.model == default


def test_what_continues_needs_no_model_and_goes_on_with_its_own(server: LiveServer, default: str) -> None:
    assert Session.create(server, model=None).info()["model"] == default
    own = Session.create(server, model="lines", prime="ab")
    body = {"prompt": "c", "session_id": own.id, "max_tokens": 2}
    assert server.post("/v1/completions", body).json()["model"] == "lines"
    state = server.post("/v1/next", {"model": "lines", "input": "ab", "return_state": True}).json()["state"]
    for path in ("/v1/next", "/v1/score", "/v1/completions"):
        assert server.post(path, BODIES[path] | {"state": state}).json()["model"] == "lines"
