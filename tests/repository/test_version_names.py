"""A folder that is meant as a version and is not named as one is told, at every door."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from support.live_server import LiveServer, live_server
from support.oip_client import stub
from support.tiny_models import LINES, TEXT, write_models
from support.waiting import until

from nextchar.errors import ModelFileError
from nextchar.pb import inference_pb2 as pb
from nextchar.repository.folder import find_model, find_models, layout_faults

_MEANT = ["01", "v1", "1.0", "V2", "version-3", "v1.2.3", "1234567890123456789", "00"]
_OTHERS = [".v1", "draft", "docs", "1st draft", "v", "README.md"]


def _with(folder: Path, *names: str) -> Path:
    write_models(folder, {"good": TEXT})
    for name in names:
        write_models(folder, {"tiny": LINES})
        (folder / "tiny" / "1").rename(folder / "tiny" / name)
    return folder


@pytest.mark.parametrize("name", _MEANT)
def test_what_looks_like_a_version_and_is_none_is_a_fault(tmp_path: Path, name: str) -> None:
    (tmp_path / "tiny" / name).mkdir(parents=True)
    faults = layout_faults(tmp_path)
    assert list(faults) == [("tiny", name)]
    assert faults["tiny", name].startswith(f"tiny/{name}: '{name}' is not the name of a version")
    assert find_models(tmp_path).faults == faults


@pytest.mark.parametrize("name", _OTHERS)
def test_other_folders_are_no_fault_unless_they_hold_a_model(tmp_path: Path, name: str) -> None:
    (tmp_path / "tiny" / "1").mkdir(parents=True)
    (tmp_path / "tiny" / name).mkdir()
    assert layout_faults(tmp_path) == {}
    (tmp_path / "tiny" / name / "step-int8.onnx").touch()
    assert list(layout_faults(tmp_path)) == ([] if name.startswith(".") else [("tiny", name)])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(_with(tmp_path, "v1", "01"), model_poll_seconds=0.02) as running:
        yield running


def test_they_are_in_the_index_and_in_the_errors(server: LiveServer) -> None:
    listed = server.post("/v2/repository/index", {}).json()
    found = {(one["name"], one["version"]): (one["state"], one["reason"]) for one in listed}
    assert found["good", "1"] == ("READY", "")
    for name in ("v1", "01"):
        state, reason = found["tiny", name]
        assert state == "UNAVAILABLE"
        assert "rename the folder" in reason
    assert ("tiny", "") not in found
    asked = server.post("/v1/next", {"model": "tiny", "input": "a"})
    assert (asked.status_code, asked.json()["error"]["code"]) == (503, "model_not_ready")
    assert "is not the name of a version" in server.post("/v2/repository/models/tiny/load", {}).text
    with grpc.insecure_channel(server.grpc_address) as channel:
        index = stub(channel).RepositoryIndex(pb.RepositoryIndexRequest()).models
        assert {(one.name, one.version) for one in index} == set(found)
        with pytest.raises(grpc.RpcError, match="is not the name of a version"):
            stub(channel).RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name="tiny"))


def test_one_that_comes_later_is_told_in_the_log_once_and_may_be_renamed(
    server: LiveServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _with(tmp_path, "1.0")
    until(lambda: "tiny/1.0: '1.0' is not the name of a version" in caplog.text)
    (tmp_path / "tiny" / "1.0").rename(tmp_path / "tiny" / "3")
    until(lambda: server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200)
    assert caplog.text.count("tiny/1.0: '1.0' is not") == 1
    listed = server.post("/v2/repository/index", {}).json()
    assert "1.0" not in [one["version"] for one in listed]


def test_the_command_line_says_it_of_a_path(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no step-int8.*tiny/v1: 'v1' is not the name of a version"):
        find_model(_with(tmp_path, "v1") / "tiny")
