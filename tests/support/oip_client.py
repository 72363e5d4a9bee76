"""Sends requests of the Open Inference Protocol over each API."""

import json
from typing import Any

import grpc
import httpx
import numpy as np
from support.live_server import TLS, LiveServer

from nextchar.pb import inference_pb2 as pb
from nextchar.pb import inference_pb2_grpc

WAYS = ("json", "binary", "typed", "raw")
_DTYPES = {"INT64": "<i8", "FP64": "<f8"}
_HEADER = "Inference-Header-Content-Length"


def stub(channel: grpc.Channel) -> inference_pb2_grpc.GRPCInferenceServiceStub:
    return inference_pb2_grpc.GRPCInferenceServiceStub(channel)


def body(texts: list[str], outputs: tuple[str, ...] = (), **parameters: Any) -> dict[str, Any]:
    """Returns the JSON of a request with texts."""
    text = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    return {"inputs": [text], "outputs": [{"name": name} for name in outputs], "parameters": parameters}


def post(server: LiveServer, model: str, request: dict[str, Any]) -> httpx.Response:
    return server.post(f"/v2/models/{model}/infer", request)


def message(
    model: str, texts: list[bytes], outputs: tuple[str, ...] = (), **parameters: Any
) -> pb.ModelInferRequest:
    """Returns a gRPC request with texts as typed contents."""
    request = pb.ModelInferRequest(model_name=model, outputs=[{"name": name} for name in outputs])
    request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)]).contents.bytes_contents.extend(
        texts
    )
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param"}[type(value)]
        setattr(request.parameters[name], kind, value)
    return request


def pack(texts: list[bytes]) -> bytes:
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def infer(
    server: LiveServer,
    way: str,
    model: str,
    texts: list[bytes],
    outputs: tuple[str, ...] = (),
    **parameters: Any,
) -> dict[str, Any]:
    """Returns the outputs by name: lists of bytes, or arrays."""
    if way in ("typed", "raw"):
        return _by_grpc(server, way, message(model, texts, outputs, **parameters), texts)
    if way == "json":
        answer = post(server, model, body([text.decode() for text in texts], outputs, **parameters))
        assert answer.status_code == 200, answer.text
        return {one["name"]: _listed(one) for one in answer.json()["outputs"]}
    raw = pack(texts)
    text = {
        "name": "text",
        "shape": [len(texts), 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }
    fields = {"inputs": [text], "outputs": [{"name": name} for name in outputs]}
    head = json.dumps({**fields, "parameters": {**parameters, "binary_data_output": True}}).encode()
    url, headers = f"{server.url}/v2/models/{model}/infer", {_HEADER: str(len(head))}
    answer = httpx.post(url, content=head + raw, headers=headers, timeout=30, verify=TLS)
    assert answer.status_code == 200, answer.text
    return _behind(answer.content, int(answer.headers[_HEADER]))


def _behind(content: bytes, place: int) -> dict[str, Any]:
    found = {}
    for one in json.loads(content[:place])["outputs"]:
        size = one["parameters"]["binary_data_size"]
        found[one["name"]] = _unpacked(one["datatype"], one["shape"], content[place : place + size])
        place += size
    assert place == len(content)
    return found


def _by_grpc(
    server: LiveServer, way: str, request: pb.ModelInferRequest, texts: list[bytes]
) -> dict[str, Any]:
    if way == "raw":
        request.inputs[0].ClearField("contents")
        request.raw_input_contents.append(pack(texts))
    with grpc.insecure_channel(server.grpc_address) as channel:
        answer = stub(channel).ModelInfer(request)
    found = {}
    for i, one in enumerate(answer.outputs):
        if way == "raw":
            found[one.name] = _unpacked(one.datatype, one.shape, answer.raw_output_contents[i])
        else:
            ((_, values),) = one.contents.ListFields()
            found[one.name] = list(values) if one.datatype == "BYTES" else np.reshape(values, one.shape)
    return found


def _listed(one: dict[str, Any]) -> Any:
    if one["datatype"] == "BYTES":
        return [text.encode() for text in one["data"]]
    return np.reshape(one["data"], one["shape"])


def _unpacked(datatype: str, shape: Any, raw: bytes) -> Any:
    if datatype != "BYTES":
        return np.frombuffer(raw, _DTYPES[datatype]).reshape(shape)
    found, place = [], 0
    while place < len(raw):
        end = place + 4 + int.from_bytes(raw[place : place + 4], "little")
        found.append(raw[place + 4 : end])
        place = end
    return found
