"""The repository over gRPC says and does what it does over REST; sequences go on with their version."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from support.live_server import LiveServer, live_server
from support.oip_client import body, message, post, stub
from support.rpc_answers import details
from support.tiny_models import TEXT, TinyModel, write_models

from nextchar.pb import inference_pb2 as pb
from nextchar.pb import inference_pb2_grpc


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(write_models(tmp_path / "models", {"tiny": TEXT})) as running:
        yield running


@pytest.fixture
def oip(server: LiveServer) -> Iterator[inference_pb2_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield stub(channel)


def test_both_protocols_tell_the_same_index(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    write_models(server.settings.models, {"more": TinyModel(seed=9)})
    for ready, names in ((False, ["more", "tiny"]), (True, ["tiny"])):
        found = MessageToDict(oip.RepositoryIndex(pb.RepositoryIndexRequest(ready=ready)))["models"]
        listed = server.post("/v2/repository/index", {"ready": ready}).json()
        assert found == [{name: value for name, value in one.items() if value} for one in listed]
        assert [one["name"] for one in found] == names


def test_a_version_is_loaded_and_a_sequence_goes_on_with_the_one_before(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    whole = post(server, "tiny", body(["abc"])).json()
    oip.ModelInfer(message("tiny", [b"a"], sequence_id=3, sequence_start=True))
    write_models(server.settings.models, {"tiny": TinyModel(seed=9)}, version=2)
    oip.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="tiny"))
    assert oip.ModelMetadata(pb.ModelMetadataRequest(name="tiny")).versions == ["1", "2"]
    assert oip.ModelInfer(message("tiny", [b"a"])).model_version == "2"
    request = pb.RepositoryModelUnloadRequest(model_name="tiny:1")
    request.parameters["unload_dependents"].bool_param = True
    oip.RepositoryModelUnload(request)
    assert not oip.ModelReady(pb.ModelReadyRequest(name="tiny", version="1")).ready
    step = post(server, "tiny", body(["bc"], sequence_id=3)).json()
    assert (step["model_version"], step["outputs"][0]) == ("1", whole["outputs"][0])
    assert oip.ModelInfer(message("tiny", [b""], sequence_id=3, sequence_end=True)).model_version == "1"


def test_what_cannot_be_is_refused(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    broken = server.settings.models / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "step-int8.onnx").write_bytes(b"no model")
    configured = pb.RepositoryModelLoadRequest(model_name="tiny")
    configured.parameters["config"].string_param = "{}"
    load, unload = pb.RepositoryModelLoadRequest, pb.RepositoryModelUnloadRequest
    for call, request, code in (
        (oip.RepositoryModelLoad, load(model_name="none"), grpc.StatusCode.NOT_FOUND),
        (oip.RepositoryModelLoad, load(model_name="broken"), grpc.StatusCode.FAILED_PRECONDITION),
        (oip.RepositoryModelLoad, load(model_name="../tiny"), grpc.StatusCode.INVALID_ARGUMENT),
        (oip.RepositoryModelLoad, configured, grpc.StatusCode.INVALID_ARGUMENT),
        (oip.RepositoryModelUnload, unload(model_name="none"), grpc.StatusCode.NOT_FOUND),
        (
            oip.RepositoryIndex,
            pb.RepositoryIndexRequest(repository_name="r"),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(request)
        assert caught.value.code() is code
        assert details(caught.value)[0]
    assert oip.ModelReady(pb.ModelReadyRequest(name="tiny")).ready
