"""What the Open Inference Protocol tells of the server, its models and what they did."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from engine.estimates.engine_clocks import Clock
from google.protobuf.json_format import MessageToDict, ParseDict
from support.live_server import LiveServer, live_server
from support.midway import midway
from support.oip_client import body, message, post, stub

from nextchar import __version__
from nextchar.pb import inference_pb2 as pb
from nextchar.pb import inference_pb2_grpc


@pytest.fixture(scope="module")
def oip(server: LiveServer) -> Iterator[inference_pb2_grpc.GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield stub(channel)


def get(server: LiveServer, path: str, **headers: str) -> Any:
    answer = server.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_both_protocols_tell_the_same_of_the_server(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    found = get(server, "/v2")
    assert (found["name"], found["version"]) == ("nextchar", __version__)
    assert {"sequence", "sequence(string_id)", "schedule_policy", "statistics"} <= set(found["extensions"])
    assert ParseDict(found, pb.ServerMetadataResponse()) == oip.ServerMetadata(pb.ServerMetadataRequest())
    assert oip.ServerLive(pb.ServerLiveRequest()).live
    assert oip.ServerReady(pb.ServerReadyRequest()).ready


@pytest.mark.parametrize("path", ["/v2/models/tiny", "/v2/models/tiny/versions/1"])
def test_both_protocols_tell_the_same_of_a_model(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub, path: str
) -> None:
    found = get(server, path)
    assert (found["versions"], found["platform"]) == (["1"], "onnx_onnxv1")
    version = "1" if "versions" in path else ""
    metadata = oip.ModelMetadata(pb.ModelMetadataRequest(name="tiny", version=version))
    assert ParseDict(found, pb.ModelMetadataResponse()) == metadata
    assert get(server, path + "/ready") == {"name": "tiny", "ready": True}
    assert oip.ModelReady(pb.ModelReadyRequest(name="tiny", version=version)).ready
    config = oip.ModelConfig(pb.ModelConfigRequest(name="tiny", version=version)).config
    assert ParseDict(get(server, path + "/config"), pb.ModelConfig()) == config


def test_metadata_tells_the_shapes_that_come(server: LiveServer) -> None:
    sizes = {"-1": 3}
    told = get(server, "/v2/models/lines")["outputs"]
    assert told
    found = post(server, "lines", body(["a", "b", "c"])).json()["outputs"]
    for one, tensor in zip(told, found, strict=True):
        shape = [sizes.get(str(size), size) for size in one["shape"]]
        assert (tensor["name"], tensor["datatype"], tensor["shape"]) == (one["name"], one["datatype"], shape)


def test_the_configuration_is_of_sequences_or_of_single_requests(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    path, name = "/v2/models/tiny/config", pb.ModelConfigRequest(name="tiny")
    sequences = get(server, path)
    assert sequences["sequence_batching"]["max_sequence_idle_microseconds"] == 3600 * 10**6
    assert "dynamic_batching" not in sequences
    single = get(server, path, **{"X-Model-Scheduling": "dynamic"})
    assert "sequence_batching" not in single
    config = oip.ModelConfig(name, metadata=(("x-model-scheduling", " dynamic"),)).config
    assert config.WhichOneof("scheduling_choice") == "dynamic_batching"
    with pytest.raises(grpc.RpcError) as caught:
        oip.ModelConfig(name, metadata=(("x-model-scheduling", "none"),))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("versions", "policy"), [("all", {"all": {}}), ("latest", {"latest": {"num_versions": 1}})]
)
def test_the_configuration_says_which_versions_are_served(
    models: Path, versions: str, policy: dict[str, Any]
) -> None:
    with live_server(models, model_versions=versions) as server:
        assert get(server, "/v2/models/tiny/config")["version_policy"] == policy
        with grpc.insecure_channel(server.grpc_address) as channel:
            config = stub(channel).ModelConfig(pb.ModelConfigRequest(name="tiny")).config
        assert config.version_policy.WhichOneof("policy_choice") == versions
        assert config.version_policy.latest.num_versions == (versions == "latest")


def test_unknown_models_are_not_ready_and_not_found(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    for path in ("", "/ready", "/config", "/stats", "/versions/9", "/versions/9/stats"):
        name = "tiny" if "versions" in path else "none"
        answer = server.get(f"/v2/models/{name}{path}")
        assert (answer.status_code, answer.headers["x-error-code"]) == (404, "model_not_found")
    assert not oip.ModelReady(pb.ModelReadyRequest(name="none")).ready
    for call, request in (
        (oip.ModelMetadata, pb.ModelMetadataRequest(name="none")),
        (oip.ModelConfig, pb.ModelConfigRequest(name="tiny", version="9")),
        (oip.ModelStatistics, pb.ModelStatisticsRequest(name="none")),
        (oip.ModelInfer, message("none", [b"a"])),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(request)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def stats(server: LiveServer, path: str = "/v2/models/refusing/stats") -> dict[str, Any]:
    (found,) = get(server, path)["model_stats"]
    return found


def test_statistics_count_what_was_done(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    before = stats(server)
    assert post(server, "refusing", body(["abc", "d", ""])).status_code == 200
    oip.ModelInfer(message("refusing", [b"abc"]))
    assert server.post("/v1/score", {"model": "refusing", "input": ["a", "b"]}).status_code == 200
    assert server.post("/v1/completions", {"model": "refusing", "prompt": "a"}).status_code == 200
    assert post(server, "refusing", body(["\N{SNOWMAN}"])).status_code == 422
    after = stats(server)

    def grown(*names: str) -> int:
        old, new = before, after
        for name in names:
            old, new = old[name], new[name]
        return new - old

    assert grown("inference_count") == 3 + 1 + 2 + 1
    assert grown("execution_count") > 0
    assert after["last_inference"] > 0
    for name, count in (("success", 4), ("fail", 1), ("queue", 4), ("compute_infer", 4), ("cache_hit", 0)):
        assert grown("inference_stats", name, "count") == count
    assert grown("inference_stats", "compute_input", "ns") > 0
    assert grown("inference_stats", "compute_output", "ns") > 0
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    total = sum(grown("inference_stats", part, "ns") for part in parts)
    assert total == pytest.approx(grown("inference_stats", "success", "ns"), rel=1e-6)
    batches = {one["batch_size"]: one["compute_infer"] for one in after["batch_stats"]}
    assert list(batches) == sorted(batches)
    assert sum(one["count"] for one in batches.values()) == after["execution_count"]
    assert batches[max(batches)]["ns"] > 0
    assert max(batches) >= 2  # of three strings at once, on one engine or two


def test_both_protocols_tell_the_same_statistics(
    server: LiveServer, oip: inference_pb2_grpc.GRPCInferenceServiceStub
) -> None:
    post(server, "tiny", body(["a"]))
    for path, request in (
        ("/v2/models/stats", pb.ModelStatisticsRequest()),
        ("/v2/models/tiny/stats", pb.ModelStatisticsRequest(name="tiny")),
        ("/v2/models/tiny/versions/1/stats", pb.ModelStatisticsRequest(name="tiny", version="1")),
    ):
        told = ParseDict(get(server, path), pb.ModelStatisticsResponse())
        assert told == oip.ModelStatistics(request), MessageToDict(told)
    assert {one["name"] for one in get(server, "/v2/models/stats")["model_stats"]} >= {"tiny", "lines"}


def generate(
    server: LiveServer, model: str = "tiny", prompt: str = "abc ", **parameters: Any
) -> httpx.Response:
    request = {"text_input": prompt, "parameters": parameters}
    return server.post(f"/v2/models/{model}/generate", request)


def events(server: LiveServer, prompt: str = "abc ", **parameters: Any) -> list[dict[str, Any]]:
    request = {"text_input": prompt, "parameters": parameters}
    answer = server.post("/v2/models/tiny/versions/1/generate_stream", request)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    blocks = answer.text.split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def test_generate_is_a_completion(server: LiveServer) -> None:
    fields = {"max_tokens": 60, "seed": 4, "temperature": 0.7, "top_p": 0.9}
    completion = server.post("/v1/completions", {"model": "tiny", "prompt": "abc ", "logprobs": 0, **fields})
    choice = completion.json()["choices"][0]
    whole = generate(server, **fields)
    assert whole.json() == {"text_output": choice["text"], "model_name": "tiny", "model_version": "1"}
    details = generate(server, **fields, details=True, stream=False).json()["details"]
    assert details["finish_reason"] == "length"
    assert [one["logprob"] for one in details["logprobs"]] == choice["logprobs"]["token_logprobs"]
    assert "".join(one["text"] for one in details["logprobs"]) == choice["text"]
    pieces = events(server, **fields, details=True)
    assert len(pieces) > 1
    assert "".join(piece["text_output"] for piece in pieces) == choice["text"]
    assert [one for piece in pieces for one in piece["details"]["logprobs"]] == details["logprobs"]
    assert [piece["details"].get("finish_reason") for piece in pieces][-2:] == [None, "length"]


@pytest.mark.parametrize("adaptive", [None, True, False, {"orders": [1, 2], "learn_drawn": True}])
def test_generate_learns_its_prompt_as_a_completion_does(server: LiveServer, adaptive: Any) -> None:
    fields = {"max_tokens": 60, "seed": 4, "temperature": 0.7, "adaptive": adaptive}
    prompt = "abc abc " * 20
    completion = server.post("/v1/completions", {"model": "tiny", "prompt": prompt, **fields}).json()
    text = completion["choices"][0]["text"]
    assert generate(server, prompt=prompt, **fields).json()["text_output"] == text
    assert "".join(piece["text_output"] for piece in events(server, prompt=prompt, **fields)) == text
    plain = generate(server, prompt=prompt, **fields | {"adaptive": None}).json()["text_output"]
    assert (plain != text) == bool(adaptive)


def test_generate_tells_a_stop_string_from_an_end(server: LiveServer) -> None:
    def reason(**parameters: Any) -> str:
        answer = generate(server, "lines", max_tokens=2000, seed=3, details=True, **parameters)
        return answer.json()["details"]["finish_reason"]

    ended = generate(server, "lines", max_tokens=2000, seed=3).json()["text_output"]
    assert reason() == "eos_token"
    assert reason(stop=[ended[1]]) == "stop_sequence"
    assert reason(stop=["no such text"]) == "eos_token"


@pytest.mark.parametrize("call", ["generate", "generate_stream"])
def test_what_is_wrong_with_generate_has_its_status(server: LiveServer, call: str) -> None:
    path = f"/v2/models/tiny/{call}"
    for request, status, code in (
        ({}, 422, "invalid_value"),
        ({"text_input": "a", "parameters": {"temperature": 3.0}}, 422, "invalid_value"),
        ({"text_input": "a", "parameters": {"best": 1}}, 422, "unknown_field"),
        ({"text_input": "a", "parameters": {"logit_bias": {"?": 1.0}}}, 422, "invalid_value"),
        ({"text_input": "a", "parameters": {"adaptive": "yes"}}, 422, "invalid_value"),
        ({"text_input": "a", "parameters": {"adaptive": {"orders": []}}}, 422, "invalid_value"),
        ({"text_input": "a" * 70_000}, 413, "input_too_large"),
    ):
        answer = server.post(path, request)
        assert (answer.status_code, answer.headers["x-error-code"]) == (status, code), answer.text
        assert list(answer.json()) == ["error"]
    assert server.post(path.replace("tiny", "none"), {"text_input": "a"}).status_code == 404


def test_a_stream_that_fails_ends_with_an_error_event(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    midway(monkeypatch, server, Clock(monkeypatch).jump)
    pieces = events(server, max_tokens=16_384)
    assert list(pieces[0]) == ["text_output", "model_name", "model_version"]
    assert list(pieces[-1]) == ["error"]
    assert not any("error" in piece for piece in pieces[:-1])
