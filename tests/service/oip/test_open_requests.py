"""What other people's clients put into a request beside ours is accepted, over both APIs, and means nothing.

The bodies and messages are those of kserve's and MLServer's Python packages.
"""

import base64
from typing import Any

import grpc
import pytest
from support.live_server import LiveServer
from support.oip_client import body, infer, message, pack, post, stub
from support.rpc_answers import details

from nextchar.pb import inference_pb2 as pb
from nextchar.service.oip.parameters import MAX_OTHERS

_TEXTS = ["hello", "abc abc é"]
_OF_OTHERS: dict[str, Any] = {
    "content_type": "str",
    "headers": {"x-forwarded-for": "10.0.0.1"},
    "who": "me",
    "n": 3,
    "share": 0.5,
    "nothing": None,
    "max_tokens": 4,
    "temperature": 1,
    "": "",
}


def _asked(server: LiveServer, request: dict[str, Any], path: str = "tiny") -> Any:
    answer = post(server, path, request)
    assert answer.status_code == 200, answer.text
    return answer.json()["outputs"]


def _called(server: LiveServer, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
    with grpc.insecure_channel(server.grpc_address) as channel:
        answer: pb.ModelInferResponse = stub(channel).ModelInfer(request)
    return answer


def _fill(parameters: Any, **more: Any) -> None:
    for name, value in (_OF_OTHERS | more).items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
        if type(value) in kind:
            setattr(parameters[name], kind[type(value)], value)
        else:
            parameters[name].SetInParent()  # a parameter without a value


def test_parameters_are_open_on_the_request_its_inputs_and_its_outputs(server: LiveServer) -> None:
    request = body(_TEXTS, ("score",))
    request["parameters"] = dict(_OF_OTHERS)
    request["inputs"][0]["parameters"] = dict(_OF_OTHERS)
    request["outputs"][0]["parameters"] = dict(_OF_OTHERS)
    plain = _asked(server, body(_TEXTS, ("score",)))
    assert _asked(server, request) == plain
    sent = message("tiny", [text.encode() for text in _TEXTS], ("score",))
    _fill(sent.parameters)
    _fill(sent.inputs[0].parameters, binary_data_size=26)
    _fill(sent.outputs[0].parameters, binary_data=True)
    assert list(_called(server, sent).outputs[0].contents.fp64_contents) == plain[0]["data"]


@pytest.mark.parametrize("absent", [None, "left out"])
def test_what_may_be_left_out_may_be_null(server: LiveServer, absent: str | None) -> None:
    plain = _asked(server, body(_TEXTS))
    ours = ("sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "include_end")
    tensor = body(_TEXTS)["inputs"][0] | {"parameters": {"binary_data_size": None, "content_type": None}}
    request: dict[str, Any] = {"inputs": [tensor]}
    if absent is None:
        request |= {"id": None, "outputs": None, "model_name": None, "model_version": None}
    assert _asked(server, request | {"parameters": None}) == plain
    assert _asked(server, {"inputs": [tensor | {"parameters": None}]}) == plain
    nulls = dict.fromkeys((*ours, "binary_data_output", "triton_enable_empty_final_response"))
    assert _asked(server, request | {"parameters": nulls}) == plain
    some = body(_TEXTS, ("score",))
    some["outputs"] = [{"name": "score", "parameters": absent and {}}, {"name": "next", "parameters": {}}]
    some["outputs"][1]["parameters"] = {"binary_data": None}
    assert _asked(server, some) == [plain[3], plain[1]]


def test_a_parameter_without_a_value_is_null_over_grpc(server: LiveServer) -> None:
    sent = message("tiny", [b"abc"])
    plain = _called(server, sent)
    for name in ("sequence_id", "sequence_start", "timeout", "priority", "include_end"):
        sent.parameters[name].SetInParent()
    assert _called(server, sent) == plain


@pytest.mark.parametrize(
    "named",
    [
        {"model_name": "tiny"},
        {"model_name": "tiny", "model_version": "1"},
        {"model_version": 1},
        {"model_version": 1.0},
        {"model_name": "", "model_version": ""},
    ],
)
def test_the_body_may_name_the_model_that_the_path_names(server: LiveServer, named: dict[str, Any]) -> None:
    plain = _asked(server, body(_TEXTS))
    for path in ("tiny", "tiny/versions/1", "tiny:1"):
        assert _asked(server, body(_TEXTS) | named, path) == plain
    generate = {"text_input": "a", "parameters": None, "id": "mine", "stream": True}
    answer = server.post("/v2/models/tiny/generate", generate | named).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("tiny", "1", "mine")


@pytest.mark.parametrize(
    ("path", "named", "param", "status"),
    [
        ("tiny", {"model_name": "lines"}, "model_name", 400),
        ("tiny/versions/1", {"model_version": "2"}, "model_version", 400),
        ("tiny", {"model_version": "2"}, "version", 404),
        ("tiny", {"model_version": True}, "model_version", 400),
    ],
)
def test_a_body_that_names_another_model_is_refused(
    server: LiveServer, path: str, named: dict[str, Any], param: str, status: int
) -> None:
    answer = post(server, path, body(_TEXTS) | named)
    assert (answer.status_code, param in answer.json()["error"]) == (status, True), answer.text


def test_the_version_in_a_body_counts_where_the_path_has_none(server: LiveServer) -> None:
    answer = post(server, "tiny", body(_TEXTS) | {"model_version": "1"})
    assert answer.headers["x-model-version"] == "1"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sequenceId", "sequence_id"),
        ("sequence-start", "sequence_start"),
        ("include_ends", "include_end"),
        ("Timeout", "timeout"),
        ("priorty", "priority"),
        ("binary_data_outputs", "binary_data_output"),
    ],
)
def test_a_name_that_is_nearly_one_of_ours_is_taken_for_a_mistake(
    server: LiveServer, name: str, meant: str
) -> None:
    answer = post(server, "tiny", body(_TEXTS, **{name: 1}))
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "unknown_field")
    assert answer.json()["error"].startswith(f"unknown parameter '{name}': did you mean {meant}?")
    with pytest.raises(grpc.RpcError, match=f"did you mean {meant}") as caught:
        _called(server, message("tiny", [b"a"], **{name: 1}))
    assert details(caught.value)[:2] == ("unknown_field", name)


def test_open_parameters_are_not_without_number(server: LiveServer) -> None:
    """Each is compared with ours, which takes time."""
    at_most = {f"other {k}": k for k in range(MAX_OTHERS)}
    assert post(server, "tiny", body(["a"], **at_most)).status_code == 200
    answer = post(server, "tiny", body(["a"], **at_most, more=1))
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "too_many_items")
    with pytest.raises(grpc.RpcError, match="33 unknown parameters") as caught:
        _called(server, message("tiny", [b"a"], **at_most, more=1))
    assert details(caught.value)[0] == "too_many_items"
    many = message("tiny", [b"a"])
    many.inputs.extend([many.inputs[0]] * 1000)
    with pytest.raises(grpc.RpcError, match="at most 2 tensors"):
        _called(server, many)


@pytest.mark.parametrize("way", ["json", "binary", "typed", "raw"])
def test_texts_in_base64_are_read_as_what_they_say(server: LiveServer, way: str) -> None:
    texts = [text.encode() for text in _TEXTS]
    plain = infer(server, "json", "tiny", texts, ("score",))["score"].tolist()
    encoded = [base64.b64encode(text) for text in texts]
    if way in ("json", "binary"):
        request = body([one.decode() for one in encoded], ("score",))
        request["inputs"][0]["parameters"] = {"content_type": "base64"}
        assert _asked(server, request)[0]["data"] == plain
        request["inputs"][0]["data"] = ["?", "YQ=="]
        answer = post(server, "tiny", request)
        assert (answer.status_code, "element 0 is not base64" in answer.text) == (400, True)
        return
    sent = message("tiny", encoded, ("score",))
    if way == "raw":
        sent.inputs[0].contents.bytes_contents[:] = []  # as MLServer leaves it: there, and empty
        sent.inputs[0].contents.SetInParent()
        sent.raw_input_contents.append(pack(encoded))
    sent.inputs[0].parameters["content_type"].string_param = "base64"
    answer = _called(server, sent).outputs
    assert len(answer) == 1
    if way == "typed":
        assert list(answer[0].contents.fp64_contents) == plain


def test_whole_numbers_may_be_written_with_a_point(server: LiveServer) -> None:
    """JSON has one kind of number."""
    ids = {"name": "token_ids", "shape": [1, 2], "datatype": "INT64", "data": [[1, 2]]}
    plain = _asked(server, {"inputs": [ids]})
    floats = ids | {"shape": [1.0, 2.0], "data": [[1.0, 2.0]]}
    parameters = {"timeout": 5e6, "priority": 1.0, "sequence_id": 0.0}
    assert _asked(server, {"inputs": [floats], "parameters": parameters}) == plain
    sent = pb.ModelInferRequest(model_name="tiny")
    sent.inputs.add(name="token_ids", datatype="INT64", shape=[1, 2]).contents.int64_contents.extend([1, 2])
    sent.parameters["timeout"].double_param = 5e6
    assert list(_called(server, sent).outputs[3].contents.fp64_contents) == plain[3]["data"]
    for wrong in ({"timeout": 5.5}, {"timeout": "5"}, {"priority": True}):
        assert post(server, "tiny", {"inputs": [ids], "parameters": wrong}).status_code == 400


def test_only_the_field_of_the_datatype_is_set(server: LiveServer) -> None:
    sent = message("tiny", [b"a"])
    sent.inputs[0].contents.fp32_contents.append(1)
    with pytest.raises(grpc.RpcError, match="must not set fp32_contents"):
        _called(server, sent)


def test_health_says_what_the_protocol_calls_it(server: LiveServer) -> None:
    assert server.get("/v2/health/live").json()["live"] is True
    assert server.get("/v2/health/ready").json()["ready"] is True


def test_the_repository_takes_nulls(server: LiveServer) -> None:
    assert server.post("/v2/repository/index", {"ready": None}).status_code == 200
    answer = server.post("/v2/repository/models/tiny/load", {"parameters": None})
    assert answer.json() == {"name": "tiny", "versions": ["1"], "state": "READY"}
    unload = server.post("/v2/repository/models/none/unload", {"parameters": {"unload_dependents": None}})
    assert unload.status_code == 404
