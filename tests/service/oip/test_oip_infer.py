"""Tensors give what the native calls give, through every way in."""

from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from support.live_server import LiveServer, live_server
from support.oip_client import WAYS, body, infer, message, post, stub
from support.rpc_answers import details

from nextchar.pb import inference_pb2 as pb
from nextchar.service.oip.parameters import InferParameters

TEXTS = ["hello", "", "abc abc é"]


def native(
    server: LiveServer, model: str, texts: list[str], **fields: object
) -> tuple[list[float], np.ndarray]:
    """Scores, and the distribution after each text by id, of the native calls."""
    scores = server.post("/v1/score", {"model": model, "input": texts, **fields}).json()["data"]
    found = [server.post("/v1/next", {"model": model, "input": text}).json()["data"] for text in texts]
    by_id = [[c["logprob"] for c in sorted(data, key=lambda c: c["id"])] for data in found]
    return [score["logprob"] for score in scores], np.array(by_id)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["tiny", "lines", "refusing", "bytes"])
def test_numbers_are_those_of_score_and_next(server: LiveServer, way: str, model: str) -> None:
    scores, distributions = native(server, model, TEXTS)
    found = infer(server, way, model, [text.encode() for text in TEXTS])
    assert list(found) == ["log_probs", "next", "next_id", "score"]
    assert (found["log_probs"] == distributions).all()
    assert found["score"].tolist() == scores
    assert found["next_id"].tolist() == distributions.argmax(axis=1).tolist()
    alone = infer(server, way, model, [text.encode() for text in TEXTS], ("score",))
    assert list(alone) == ["score"]
    assert alone["score"].tolist() == scores


def test_the_likeliest_symbol_comes_as_its_own_bytes(server: LiveServer) -> None:
    for way in WAYS:
        found = infer(server, way, "tiny", [b"hel", b"a"], ("next_id", "next"))
        data = [server.post("/v1/next", {"model": "tiny", "input": t, "top": 1}).json() for t in ("hel", "a")]
        assert found["next"] == [one["data"][0]["char"].encode() for one in data]
        assert found["next_id"].tolist() == [one["data"][0]["id"] for one in data]


def test_ids_are_as_good_as_text(server: LiveServer) -> None:
    text = "hello"
    listed = server.post("/v1/next", {"model": "tiny", "input": ""}).json()["data"]
    ids = {c["char"]: c["id"] for c in listed}
    tensor = {"name": "token_ids", "shape": [2, 5], "datatype": "INT64", "data": [[ids[c] for c in text]] * 2}
    expected = post(server, "tiny", body([text, text])).json()
    assert post(server, "tiny", {"inputs": [tensor]}).json() == expected
    request = pb.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="token_ids", datatype="INT64", shape=[1, 5])
    request.raw_input_contents.append(np.array([ids[c] for c in text], dtype="<i8").tobytes())
    with grpc.insecure_channel(server.grpc_address) as channel:
        answer = stub(channel).ModelInfer(request)
    assert np.frombuffer(answer.raw_output_contents[3])[0] == expected["outputs"][3]["data"][0]


def test_a_model_of_bytes_reads_any_bytes(server: LiveServer) -> None:
    raw = bytes([0xFF, 0x00, 0xC3])
    ids = {"name": "token_ids", "shape": [1, 3], "datatype": "INT64", "data": list(raw)}
    expected = post(server, "bytes", {"inputs": [ids]}).json()["outputs"][3]["data"]
    for outputs in (("score",), ()):
        assert infer(server, "raw", "bytes", [raw], outputs)["score"].tolist() == expected
    with pytest.raises(grpc.RpcError) as caught, grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(message("tiny", [b"fine", raw]))
    assert details(caught.value)[1] == "text.1"


@pytest.mark.parametrize("outputs", [("score",), ("score", "log_probs"), ("next",)])
def test_include_end_counts_the_end_symbol(server: LiveServer, outputs: tuple[str, ...]) -> None:
    scores, distributions = native(server, "lines", ["abc", ""], include_end=True)
    found = infer(server, "json", "lines", [b"abc", b""], outputs, include_end=True)
    assert list(found) == list(outputs)
    if "score" in found:
        assert found["score"].tolist() == scores
    if "log_probs" in found:
        assert (found["log_probs"] == distributions).all()


def test_the_id_and_the_request_id_come_back(server: LiveServer) -> None:
    answer = httpx.post(
        server.url + "/v2/models/tiny/versions/1/infer",
        json={**body(["a"]), "id": "mine"},
        headers={"X-Request-Id": "his"},
        timeout=30,
    )
    assert (answer.json()["id"], answer.json()["model_version"]) == ("mine", "1")
    assert (answer.headers["x-request-id"], answer.headers["x-model-version"]) == ("his", "1")
    request = message("tiny", [b"a"])
    request.id = "mine"
    with grpc.insecure_channel(server.grpc_address) as channel:
        answer, ctx = stub(channel).ModelInfer.with_call(request, metadata=(("x-request-id", "his"),))
    assert answer.id == "mine"
    assert dict(ctx.initial_metadata())["x-request-id"] == "his"


def test_a_timeout_is_a_deadline(server: LiveServer) -> None:
    answer = post(server, "tiny", body(["a" * 60_000], timeout=1))
    assert (answer.status_code, answer.headers["x-error-code"]) == (504, "deadline_exceeded")
    with pytest.raises(grpc.RpcError) as caught, grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(message("tiny", [b"a" * 60_000], timeout=1))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert post(server, "tiny", body(["a"], timeout=20_000_000, priority=1)).status_code == 200


def test_a_priority_is_one_of_ours_and_a_timeout_is_in_seconds(server: LiveServer) -> None:
    found = [InferParameters(priority=level, timeout=1500).options for level in (0, 1, 2, 101)]
    assert [options.priority for options in found] == [0, 0, 1, 100]
    assert {options.timeout for options in found} == {0.0015}
    assert InferParameters().options.timeout is None
    assert post(server, "tiny", body(["a"], priority=102)).status_code == 400


def test_unknown_fields_may_pass_where_the_server_is_lenient(models: Path) -> None:
    with live_server(models, lenient_fields=True) as server:
        request = {**body(["a"], include_ends=1), "more": 2}
        assert post(server, "tiny", request).json() == post(server, "tiny", body(["a"])).json()


def _with(**changes: object) -> dict:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    return {"inputs": [{**tensor, **changes}]}


@pytest.mark.parametrize(
    ("request_body", "code", "said"),
    [
        ({"inputs": []}, "invalid_value", "inputs"),
        (_with(name="texts"), "invalid_value", "unknown input 'texts'"),
        (_with(datatype="FP32"), "invalid_value", "must have datatype BYTES (it has 'FP32')"),
        (_with(shape=[2]), "invalid_value", "2 elements for shape [2] (it has 1)"),
        (_with(shape=[-1]), "invalid_value", "shape"),
        (_with(shape=[1, 1, 1]), "invalid_value", "must have shape [n] for text"),
        (_with(shape=[1, 2], data=["a", "b"]), "invalid_value", "must have shape [n] (it has [1, 2])"),
        (_with(shape=[65_537]), "too_many_items", "65536"),
        (_with(shape=[0], data=[]), "invalid_value", "is empty"),
        (_with(data=[5]), "invalid_value", "element 0 must be a string"),
        (_with(data=None), "invalid_value", "either data or binary_data_size"),
        (_with(parameters={"binary_data_size": 5}, data=None), "invalid_value", "at most 0,"),
        (
            _with(parameters={"shared_memory_region": "r"}),
            "unknown_field",
            "does not have Triton's extension",
        ),
        (_with(parameters={"binaryDataSize": 5}), "unknown_field", "did you mean binary_data_size?"),
        ({**_with(), "outputs": [{"name": "logits"}]}, "invalid_value", "the outputs are: log_probs"),
        (
            {**_with(), "parameters": {"sequence_strat": True}},
            "unknown_field",
            "did you mean sequence_start?",
        ),
        ({**_with(), "parameters": {"timeout_ms": 5}}, "unknown_field", "did you mean timeout?"),
        ({**_with(), "parameters": {"sequence_start": True}}, "invalid_value", "sequence_id"),
        ({**_with(), "parameters": {"sequence_id": "a/b"}}, "invalid_value", "sequence_id"),
        ({**_with(), "parameters": {"sequence_id": -1}}, "invalid_value", "sequence_id"),
        ({**_with(), "parameters": {"include_end": True}}, "invalid_value", "include_end"),
        ({**_with(), "extra": 1}, "unknown_field", "extra"),
        (body(["a"] * 129), "too_many_items", "128"),
        (_with(name="token_ids", datatype="INT64", shape=[1, 1], data=[99]), "invalid_value", "0 to 31"),
        (_with(name="token_ids", datatype="INT64", shape=[1, 1], data=[True]), "invalid_value", "an INT64"),
        (_with(name="token_ids", datatype="INT64", shape=[1], data=[1]), "invalid_value", "[n, t]"),
        ({"inputs": _with()["inputs"] * 2}, "invalid_value", "either text or token_ids"),
    ],
)
def test_what_is_wrong_is_said(server: LiveServer, request_body: dict, code: str, said: str) -> None:
    answer = post(server, "tiny", request_body)
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, code), answer.text
    assert list(answer.json()) == ["error"]
    assert said in answer.json()["error"]


def test_other_errors_have_their_statuses_and_one_shape(server: LiveServer) -> None:
    refusing = post(server, "refusing", body(["\N{SNOWMAN}"]))
    assert (refusing.status_code, refusing.headers["x-error-code"]) == (422, "unknown_character")
    for path, status, code in (
        ("/v2/models/none/infer", 404, "model_not_found"),
        ("/v2/models/tiny/versions/7/infer", 404, "model_not_found"),
        ("/v2/nowhere", 404, "not_found"),
        ("/v2/models/tiny", 405, "method_not_allowed"),
    ):
        answer = server.post(path, body(["a"]))
        assert (answer.status_code, answer.headers["x-error-code"]) == (status, code)
        assert list(answer.json()) == ["error"]
    for head in ("x", "-1", "99999", "3"):
        headers = {"Inference-Header-Content-Length": head}
        answer = server.request("POST", "/v2/models/tiny/infer", content=b"{}", headers=headers)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_a_shape_of_many_sizes_costs_nothing(server: LiveServer) -> None:
    request = message("tiny", [b"a"])
    request.inputs[0].shape.extend([2**31 - 1] * 200_000)
    with pytest.raises(grpc.RpcError) as caught, grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_wrong_messages_are_refused(server: LiveServer) -> None:
    both, other, few, tensor, misspelt = (message("tiny", [b"a"]) for _ in range(5))
    both.raw_input_contents.append(b"\1\0\0\0a")
    other.inputs[0].contents.ClearField("bytes_contents")
    other.inputs[0].contents.fp32_contents.append(1)
    few.raw_input_contents.extend([b"", b""])
    tensor.outputs.add(name="score").parameters["classification"].int64_param = 1
    misspelt.parameters["sequenceId"].string_param = "5"
    short = message("tiny", [])
    short.inputs[0].ClearField("contents")
    short.raw_input_contents.append(b"\xff\0\0\0a")
    with grpc.insecure_channel(server.grpc_address) as channel:
        for request in (both, other, few, tensor, misspelt, short):
            with pytest.raises(grpc.RpcError) as caught:
                stub(channel).ModelInfer(request)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT, request
            assert details(caught.value)[1] is not None
