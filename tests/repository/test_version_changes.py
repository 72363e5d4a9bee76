"""Versions come and go: what a request holds stays, what is told is true, and nothing is left behind."""

import gc
import json
import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.engine_lanes import Gate
from support.in_process import InProcess, in_process
from support.live_server import LiveServer, live_server
from support.oip_client import stub
from support.tiny_models import LINES, TEXT, TinyModel, write_models
from support.waiting import until

from nextchar.engine.engine import Engine
from nextchar.pb import inference_pb2 as pb
from nextchar.pb import nextchar_pb2 as native
from nextchar.repository.folder import find_models
from nextchar.repository.served_models import ServedModels

_GENERATE = {"text_input": "abc ", "parameters": {"max_tokens": 40, "seed": 1, "details": True}}
_COMPARE = {"input": ["abc", "abd"], "reference_model": "tiny:1"}


pytestmark = pytest.mark.usefixtures("quick_retirement")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", {"tiny": TEXT, "other": LINES})


@pytest.fixture
def others() -> int:
    """The number of engines of other servers in this process."""
    return _num_engines()


@pytest.fixture
def server(folder: Path, others: int) -> Iterator[LiveServer]:
    assert others >= 0  # counted first
    with live_server(folder, unload_after_seconds=0.01) as running:
        yield running


def _repository(server: LiveServer, model: str, what: str) -> Any:
    return server.post(f"/v2/repository/models/{model}/{what}", {})


def _states(server: LiveServer) -> dict[str, str]:
    listed = server.post("/v2/repository/index", {}).json()
    return {f"{one['name']}:{one['version']}": one["state"] for one in listed}


def _num_engines() -> int:
    return sum(thread.name == "engine" for thread in threading.enumerate())


def _num_serving(server: LiveServer) -> int:
    """The number of engines that the models in service should have."""
    return sum(len(model.engine) for model in server.app.service.served_models)


def _answered_while_unloaded(server: LiveServer, gate: Gate, path: str, body: dict[str, Any]) -> Any:
    """Returns the answer to a request whose model is unloaded, past its deadline, while it runs."""
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(server.post(path, body)))
    asking.start()
    gate.reached()
    assert _repository(server, "tiny", "unload").status_code == 200
    until(lambda: _states(server)["tiny:1"] == "UNAVAILABLE")
    gate.open()
    asking.join()
    return answers[0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/models/tiny/generate", _GENERATE),
        ("/v2/models/tiny/generate_stream", _GENERATE),
        ("/v1/completions", {"model": "tiny", "prompt": "abc ", "max_tokens": 40, "seed": 1}),
        ("/v1/compare", {"model": "tiny", **_COMPARE}),
        ("/v1/compare", {"model": "other", **_COMPARE, "input": ["abc"]}),
        ("/v1/score", {"model": "tiny", "input": ["abc", "b"], "return_chars": True}),
    ],
)
def test_a_request_keeps_the_model_that_it_began_with_to_its_end(
    server: LiveServer, others: int, gate: Gate, path: str, body: dict[str, Any]
) -> None:
    answer = _answered_while_unloaded(server, gate, path, body)
    assert answer.status_code == 200, answer.text
    assert "error" not in answer.text
    assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 404
    until(lambda: _num_engines() == others + _num_serving(server))


def test_a_stream_of_generate_ends_with_its_details(server: LiveServer, gate: Gate) -> None:
    answer = _answered_while_unloaded(server, gate, "/v2/models/tiny/generate_stream", _GENERATE)
    pieces = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert pieces[-1]["details"]["finish_reason"] == "length"


def test_a_call_over_grpc_keeps_its_model_too(server: LiveServer, gate: Gate) -> None:
    request = pb.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"abc")
    with grpc.insecure_channel(server.grpc_address) as channel:
        pending = stub(channel).ModelInfer.future(request)
        gate.reached()
        _repository(server, "tiny", "unload")
        until(lambda: _states(server)["tiny:1"] == "UNAVAILABLE")
        gate.open()
        assert pending.result(timeout=30).model_version == "1"


def test_a_stream_of_scores_has_the_model_of_its_first_message(
    server: LiveServer, others: int, folder: Path
) -> None:
    """A new version takes over and the first is unloaded between two messages."""
    sent: queue.Queue[native.ScoreRequest | None] = queue.Queue()
    with server.stub() as scorer:
        answers = scorer.ScoreStream(iter(sent.get, None), timeout=30)
        sent.put(native.ScoreRequest(model="tiny", input=["abc"]))
        first = next(answers)
        write_models(folder, {"tiny": TinyModel(seed=9)}, version=2)
        assert _repository(server, "tiny", "load").status_code == 200
        assert _repository(server, "tiny:1", "unload").status_code == 200
        until(lambda: _states(server)["tiny:1"] == "UNAVAILABLE")
        sent.put(native.ScoreRequest(input=["abc"]))
        second = next(answers)
        sent.put(None)
        assert list(answers) == []
    assert (first.model_version, second.model_version) == ("1", "1")
    assert first.data[0].logprob == second.data[0].logprob
    until(lambda: _num_engines() == others + _num_serving(server))


def test_many_loads_and_unloads_leave_no_engine_behind(server: LiveServer) -> None:
    threads, engines = _num_engines(), _count_engines()
    for _ in range(6):
        assert _repository(server, "tiny", "unload").status_code == 200
        until(lambda: _states(server)["tiny:1"] == "UNAVAILABLE")
        assert _repository(server, "tiny", "load").status_code == 200
        assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
    until(lambda: _num_engines() == threads)
    until(lambda: _count_engines() <= engines)  # earlier tests may have left some to collect
    assert server.get("/v2/health/ready").status_code == 200


def _count_engines() -> int:
    gc.collect()
    return sum(type(one) is Engine for one in gc.get_objects())


def _versions(made: InProcess, model_id: str) -> list[str]:
    return [model.version for model in made.run(made.service.model_manager.load(model_id))]


def test_versions_are_told_in_their_order_whichever_was_loaded_first(folder: Path) -> None:
    for version in (2, 10):
        write_models(folder, {"tiny": TinyModel(seed=version)}, version=version)
    with in_process(folder) as made:
        made.run(_unloaded(made, "tiny:2"))
        assert _versions(made, "tiny") == ["1", "2", "10"]
        assert [m.version for m in made.service.served_models.serving if m.name == "tiny"] == ["1", "2", "10"]


async def _unloaded(made: InProcess, model_id: str) -> None:
    for model in made.service.model_manager.unload(model_id):
        made.service.model_manager._retired.remove(model)


@pytest.mark.parametrize("model_id", ["tiny:1", "tiny"])
def test_what_load_answers_for_is_served_also_if_it_is_earlier(folder: Path, model_id: str) -> None:
    """Back to an earlier version: by its number, or because the later one is out of the folder."""
    write_models(folder, {"tiny": TinyModel(seed=9)}, version=2)
    with live_server(folder, model_versions="latest") as server:
        assert server.post("/v1/next", {"model": "tiny", "input": "a"}).json()["model_version"] == "2"
        if model_id == "tiny":
            shutil.rmtree(folder / "tiny" / "2")
        answer = _repository(server, model_id, "load").json()
        assert answer == {"name": "tiny", "versions": ["1"], "state": "READY"}
        for asked in ("tiny", "tiny:1"):
            found = server.post("/v1/next", {"model": asked, "input": "a"}).json()
            assert found["model_version"] == "1"
        assert _states(server)["tiny:2" if model_id == "tiny:1" else "tiny:1"] != "LOADING"
        assert server.get("/v2/models/tiny").json()["versions"] == ["1"]


def test_a_version_whose_engine_has_failed_is_loaded_anew(
    server: LiveServer, others: int, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    gate.failure = RuntimeError("a fault of the engine")
    gate.open()
    assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 500
    assert server.get("/v2/models/tiny/ready").status_code == 503
    gate.failure = None
    assert _repository(server, "tiny", "load").status_code == 200
    assert server.post("/v1/next", {"model": "tiny", "input": "a"}).status_code == 200
    assert "the engine failed" in caplog.text
    until(lambda: _num_engines() == others + _num_serving(server))


@pytest.mark.parametrize("what", ["load", "unload", "infer", "metadata"])
def test_a_version_that_is_not_there_is_told_as_that(server: LiveServer, what: str) -> None:
    if what == "infer":
        answer = server.post("/v1/next", {"model": "tiny:7", "input": "a"})
        said = answer.json()["error"]["message"]
    elif what == "metadata":
        answer = server.get("/v2/models/tiny/versions/7")
        said = answer.json()["error"]
    else:
        answer = _repository(server, "tiny:7", what)
        said = answer.json()["error"]
    assert answer.status_code == 404
    assert "version" in said
    assert "7" in said
    assert said.endswith(": 1")


def test_a_version_that_is_copied_in_while_the_server_starts_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the folder has been listed and before its models are open."""
    enter = ServedModels.__enter__

    def copied_in(self: ServedModels) -> ServedModels:
        write_models(folder, {"tiny": TinyModel(seed=9), "new": LINES}, version=2)
        shutil.rmtree(folder / "other")
        return enter(self)

    found = find_models(folder)
    assert found.fingerprints.keys() == {("tiny", "1"), ("other", "1")}
    monkeypatch.setattr(ServedModels, "__enter__", copied_in)
    with live_server(folder, model_poll_seconds=0.02) as server:
        until(lambda: _states(server).get("tiny:2") == "READY" == _states(server).get("new:2"))
        until(lambda: "other:1" not in _states(server))
