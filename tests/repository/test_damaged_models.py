"""A damaged or empty model folder is told by name over both protocols, and models beside it are served."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from support.live_server import LiveServer, live_server
from support.rpc_answers import details
from support.tiny_models import LINES, TEXT, write_models
from support.waiting import until

from nextchar.pb import inference_pb2, inference_pb2_grpc
from nextchar.pb import nextchar_pb2 as pb

SCORE = {"input": ["abc"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good model, a damaged one and one without a version."""
    write_models(tmp_path / "models", {"good": TEXT, "damaged": LINES})
    (tmp_path / "models" / "damaged" / "1" / "step-int8.onnx").write_bytes(b"nonsense")
    (tmp_path / "models" / "empty").mkdir()
    return tmp_path / "models"


@pytest.fixture
def server(folder: Path) -> Iterator[LiveServer]:
    with live_server(folder) as running:
        yield running


def index(server: LiveServer) -> dict[str, tuple[str, str, str]]:
    listed = server.post("/v2/repository/index", {}).json()
    return {entry["name"]: (entry["version"], entry["state"], entry["reason"]) for entry in listed}


def is_ready(server: LiveServer) -> bool:
    return server.get("/v2/health/ready").status_code == 200


def test_the_index_says_by_name_what_is_not_served_and_why(server: LiveServer) -> None:
    found = index(server)
    assert found["good"] == ("1", "READY", "")
    assert found["damaged"][:2] == ("1", "UNAVAILABLE")
    assert "damaged/1/step-int8.onnx: not an ONNX file" in found["damaged"][2]
    assert found["empty"][:2] == ("", "UNAVAILABLE")
    assert "has no version" in found["empty"][2]
    assert is_ready(server)


@pytest.mark.parametrize("name", ["damaged", "empty"])
def test_a_model_that_cannot_be_served_is_not_ready_and_not_unknown(server: LiveServer, name: str) -> None:
    answer = server.post("/v1/score", {"model": name, **SCORE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_ready")
    assert "retry-after" in answer.headers
    with server.stub() as stub, pytest.raises(grpc.RpcError) as caught:
        stub.Score(pb.ScoreRequest(model=name, **SCORE))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert details(caught.value)[0] == "model_not_ready"
    assert server.get(f"/v2/models/{name}/ready").status_code != 200
    assert server.post("/v1/score", {"model": "good", **SCORE}).status_code == 200
    assert server.post("/v1/score", {"model": "none", **SCORE}).status_code == 404


def test_a_model_that_was_repaired_is_loaded_and_one_that_was_removed_is_forgotten(
    server: LiveServer, folder: Path
) -> None:
    write_models(folder, {"damaged": LINES})
    assert server.post("/v2/repository/models/damaged/load", {}).status_code == 200
    shutil.rmtree(folder / "empty")
    assert {name: state for name, (_, state, _) in index(server).items()} == {
        "good": "READY",
        "damaged": "READY",
    }
    assert server.post("/v1/score", {"model": "empty", **SCORE}).status_code == 404


def test_a_strict_server_is_ready_once_all_is_repaired(folder: Path) -> None:
    with live_server(folder, strict_readiness=True, model_poll_seconds=0.02) as server:
        assert not is_ready(server)
        assert "not every model is served" in server.get("/v2/health/ready").text
        write_models(folder, {"damaged": LINES, "empty": TEXT})
        until(lambda: is_ready(server))


def test_a_server_of_an_empty_folder_runs_and_serves_what_comes(tmp_path: Path) -> None:
    with live_server(tmp_path, model_poll_seconds=0.02) as server:
        answer = server.post("/v1/score", {"model": "tiny", **SCORE})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_not_ready")
        assert server.post("/tokenize", {"prompt": "a"}).status_code == 503
        assert server.get("/livez").status_code == 200
        assert not is_ready(server)
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert not stub.ModelReady(inference_pb2.ModelReadyRequest(name="tiny")).ready
        write_models(tmp_path, {"tiny": TEXT})
        until(lambda: is_ready(server))
        assert server.post("/v1/score", {"model": "tiny", **SCORE}).status_code == 200


def test_a_version_beside_a_broken_one_is_loaded_by_its_number(server: LiveServer, folder: Path) -> None:
    (folder / "good" / "2").mkdir()
    write_models(folder, {"good": LINES}, version=3)
    assert server.post("/v2/repository/models/good:3/load", {}).status_code == 200
    assert server.post("/v2/repository/models/good/load", {}).status_code != 200
