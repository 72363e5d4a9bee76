"""Runs inside the MLServer SDK's own environment: what requests of its codecs and types get, as JSON.

python mlserver_calls.py URL GRPC_ADDRESS MODEL
"""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

import grpc
from mlserver.codecs import NumpyCodec, StringCodec, StringRequestCodec
from mlserver.grpc import converters
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestOutput

URL, GRPC, MODEL = sys.argv[1:]
TEXTS = ["hello", "abc é"]


def request(*, use_bytes: bool, **more: Any) -> InferenceRequest:
    return InferenceRequest(inputs=[StringCodec.encode_input("text", TEXTS, use_bytes=use_bytes)], **more)


def read(response: InferenceResponse) -> dict[str, Any]:
    """The outputs, decoded by the codecs that their datatypes have there."""
    return {
        output.name: (
            StringCodec.decode_output(output)
            if output.datatype == "BYTES"
            else NumpyCodec.decode_output(output).tolist()
        )
        for output in response.outputs
    }


def by_rest(body: str) -> InferenceResponse:
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{URL}/v2/models/{MODEL}/infer", body.encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return InferenceResponse.model_validate_json(answer.read())
    except urllib.error.HTTPError as error:
        sys.exit(f"{body}: {error.code} {error.read().decode()}")


def rest() -> dict[str, Any]:
    plain = request(use_bytes=False)
    # Both ways of writing a request: MLServer's own leaves out what is not set, pydantic's writes null.
    with_nulls = plain.model_dump_json(exclude_unset=False, exclude_none=False)
    assert '"id":null' in with_nulls
    assert '"outputs":null' in with_nulls
    whole = StringRequestCodec.encode_request(TEXTS, use_bytes=False)
    whole.inputs[0].name = "text"
    open_ones = Parameters(content_type="str", headers={"x-mine": "1"}, mine="x")
    chosen = request(use_bytes=False, id="mine", outputs=[RequestOutput(name="score")], parameters=open_ones)
    answer = by_rest(chosen.model_dump_json())
    return {
        "plain": read(by_rest(plain.model_dump_json())),
        "nulls": read(by_rest(with_nulls)),
        "whole": read(by_rest(whole.model_dump_json())),
        "chosen": read(answer),
        "id": answer.id,
    }


def by_grpc(asked: InferenceRequest, *, use_raw: bool) -> InferenceResponse:
    message = converters.ModelInferRequestConverter.from_types(asked, model_name=MODEL, use_raw=use_raw)
    with grpc.insecure_channel(GRPC) as channel:
        answer = GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
    return converters.ModelInferResponseConverter.to_types(answer)


def over_grpc() -> dict[str, Any]:
    open_ones = Parameters(content_type="str", mine="x")
    outputs = [RequestOutput(name="score", parameters=Parameters(content_type="np"))]
    chosen = request(use_bytes=True, id="mine", outputs=outputs, parameters=open_ones)
    answer = by_grpc(chosen, use_raw=False)
    return {
        "plain": read(by_grpc(request(use_bytes=True), use_raw=False)),
        "raw": read(by_grpc(request(use_bytes=True), use_raw=True)),
        "chosen": read(answer),
        "id": answer.id,
    }


print(json.dumps({"rest": rest(), "grpc": over_grpc()}))
