"""Runs inside the KServe SDK's own environment: what its REST and gRPC clients get, as JSON.

python kserve_calls.py URL GRPC_ADDRESS MODEL
"""

import asyncio
import json
import sys
from typing import Any

import grpc
import httpx
import numpy as np
from kserve import InferInput, InferRequest, InferResponse
from kserve.inference_client import InferenceGRPCClient, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL, GRPC, MODEL = sys.argv[1:]
TEXTS = ["hello", "abc é"]
STEPS = ["he", "llo", " there"]


def request(texts: list[str], *, binary: bool, name: str = MODEL, **more: Any) -> InferRequest:
    tensor = InferInput("text", [len(texts)], "BYTES", parameters={"content_type": "str"})
    if binary:
        tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_))
    else:
        tensor.data = list(texts)
    return InferRequest(model_name=name, infer_inputs=[tensor], **more)


def arrays(response: InferResponse) -> dict[str, Any]:
    found = {}
    for output in response.outputs:
        array = output.as_numpy()
        is_bytes = output.datatype == "BYTES"
        found[output.name] = [as_text(one) for one in array] if is_bytes else array.tolist()
    return found


def as_text(one: Any) -> str:
    return one.decode() if isinstance(one, bytes) else str(one)


async def sequence(infer: Any, sequence_id: int, *, binary: bool) -> list[dict[str, Any]]:
    found = []
    for i, text in enumerate(STEPS):
        named = {"sequence_id": sequence_id, "sequence_start": i == 0, "sequence_end": i == len(STEPS) - 1}
        found.append(arrays(await infer(request([text], binary=binary, parameters=named))))
    return found


async def common(infer: Any, sequence_id: int) -> dict[str, Any]:
    chosen = request(TEXTS, binary=True, request_outputs=[RequestedOutput("score")], request_id="mine")
    answer = await infer(chosen)
    return {
        "binary": arrays(await infer(request(TEXTS, binary=True))),
        "chosen": arrays(answer),
        "id": answer.id,
        "open": arrays(await infer(request(TEXTS, binary=True, parameters={"mine": "x", "times": 3}))),
        "sequence": await sequence(infer, sequence_id, binary=True),
    }


async def by_rest() -> dict[str, Any]:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))

    async def infer(asked: InferRequest) -> InferResponse:
        return await client.infer(URL, asked, model_name=asked.model_name)

    try:
        refused = str(await infer(request(TEXTS, binary=False, name="none")))
    except httpx.HTTPStatusError as error:
        refused = str(error)
    return {
        **await common(infer, 7),
        "json": arrays(await infer(request(TEXTS, binary=False))),
        "live": await client.is_server_live(URL),
        "ready": await client.is_server_ready(URL),
        "model_ready": await client.is_model_ready(URL, MODEL),
        "refused": refused,
    }


async def by_grpc() -> dict[str, Any]:
    async with InferenceGRPCClient(GRPC, retries=0) as client:
        try:
            refused = str(await client.infer(request(TEXTS, binary=True, name="none")))
        except grpc.RpcError as error:
            refused = str(error)
        return {
            **await common(client.infer, 8),
            "live": await client.is_server_live(),
            "ready": await client.is_server_ready(),
            "model_ready": await client.is_model_ready(MODEL),
            "refused": refused,
        }


print(json.dumps({"rest": asyncio.run(by_rest()), "grpc": asyncio.run(by_grpc())}))
