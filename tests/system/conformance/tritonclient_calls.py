"""Runs inside tritonclient's own environment: what its HTTP and gRPC clients get, as JSON on standard output.

python tritonclient_calls.py HTTP_ADDRESS GRPC_ADDRESS MODEL
"""

import asyncio
import json
import queue
import sys
from typing import Any

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from google.protobuf.descriptor import FieldDescriptor
from tritonclient.utils import InferenceServerException

HTTP, GRPC, MODEL = sys.argv[1:]
TEXTS = ["hello", "abc é"]
STEPS = ["he", "llo", " there"]
CODINGS = ("gzip", "deflate")
OUTPUTS = ("log_probs", "next", "next_id", "score")


def text_input(kit: Any, texts: list[str], *, binary: bool = True) -> Any:
    made = kit.InferInput("text", [len(texts), 1], "BYTES")
    array = np.array([[text.encode()] for text in texts], dtype=np.object_)
    if kit is triton_http:
        made.set_data_from_numpy(array, binary_data=binary)
    else:
        made.set_data_from_numpy(array)
    return made


def arrays(result: Any) -> dict[str, Any]:
    found = {name: result.as_numpy(name) for name in OUTPUTS}
    return {
        name: [one.decode() for one in array] if array.dtype == np.object_ else array.tolist()
        for name, array in found.items()
        if array is not None
    }


def sequence(client: Any, kit: Any, sequence_id: int | str) -> list[dict[str, Any]]:
    last = len(STEPS) - 1
    return [
        arrays(
            client.infer(
                MODEL,
                [text_input(kit, [text])],
                sequence_id=sequence_id,
                sequence_start=i == 0,
                sequence_end=i == last,
            )
        )
        for i, text in enumerate(STEPS)
    ]


def said(call: Any) -> list[str]:
    try:
        call()
    except InferenceServerException as error:
        return [str(error.status()), error.message()]
    return ["no error"]


def common(client: Any, kit: Any, sequence_id: int | str) -> dict[str, Any]:
    """What both clients can, in the same words."""
    ids = kit.InferInput("token_ids", [1, 3], "INT64")
    ids.set_data_from_numpy(np.array([[2, 3, 4]], dtype=np.int64))
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(MODEL),
        "unknown_ready": client.is_model_ready("none"),
        "infer": arrays(client.infer(MODEL, [text_input(kit, TEXTS)])),
        "ids": arrays(client.infer(MODEL, [ids])),
        "chosen": arrays(
            client.infer(MODEL, [text_input(kit, TEXTS)], outputs=[kit.InferRequestedOutput("score")])
        ),
        "sequence": sequence(client, kit, sequence_id),
        "unknown": said(lambda: client.infer("none", [text_input(kit, TEXTS)])),
        "no_start": said(lambda: client.infer(MODEL, [text_input(kit, TEXTS[:1])], sequence_id=12345)),
        "compressed": compressed(client, kit),
        "timeout": arrays(client.infer(MODEL, [text_input(kit, TEXTS)], priority=1, timeout=10_000_000)),
    }


def compressed(client: Any, kit: Any) -> dict[str, Any]:
    """The outputs of requests that are sent compressed; over HTTP the answer may be, too."""
    inputs = [text_input(kit, TEXTS)]
    if kit is triton_grpc:
        return {name: arrays(client.infer(MODEL, inputs, compression_algorithm=name)) for name in CODINGS}
    return {
        name: arrays(
            client.infer(
                MODEL, inputs, request_compression_algorithm=name, response_compression_algorithm=name
            )
        )
        for name in CODINGS
    }


def repository(client: Any, index: Any) -> list[list[str]]:
    """The states of a model that is unloaded and loaded again."""

    def states() -> list[str]:
        return [one["state"] for one in index() if one["name"] == "spare"]

    found = [states()]
    client.unload_model("spare")
    found.append(states())
    client.load_model("spare")
    return [*found, states()]


def by_http() -> dict[str, Any]:
    with triton_http.InferenceServerClient(HTTP, concurrency=4) as client:
        pending = [client.async_infer(MODEL, [text_input(triton_http, [text])]) for text in TEXTS]
        plain = triton_http.InferRequestedOutput("log_probs", binary_data=False)
        listed = client.infer(MODEL, [text_input(triton_http, TEXTS, binary=False)], outputs=[plain])
        return {
            **common(client, triton_http, "by-http"),
            "metadata": client.get_server_metadata(),
            "model": client.get_model_metadata(MODEL),
            "config": client.get_model_config(MODEL),
            "statistics": client.get_inference_statistics(MODEL),
            "async": [arrays(one.get_result()) for one in pending],
            "repository": repository(client, client.get_model_repository_index),
            "json": listed.as_numpy("log_probs").tolist(),
        }


def stream(client: Any, headers: dict[str, str] | None = None) -> list[Any]:
    """A sequence, a wrong request and one more, on one stream; what came, in order."""
    came: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: came.put((result, error)), headers=headers)
    last = len(STEPS) - 1
    for i, text in enumerate(STEPS):
        named = {"sequence_id": 77, "sequence_start": i == 0, "sequence_end": i == last}
        client.async_stream_infer(MODEL, [text_input(triton_grpc, [text])], **named)
    client.async_stream_infer("none", [text_input(triton_grpc, TEXTS)])
    if headers is None:
        client.async_stream_infer(MODEL, [text_input(triton_grpc, TEXTS)], enable_empty_final_response=True)
    found = [came.get(timeout=30) for _ in range(len(STEPS) + (2 if headers is None else 1))]
    client.stop_stream()
    return [
        arrays(result) if error is None else [str(error.status()), error.message()] for result, error in found
    ]


def by_grpc() -> dict[str, Any]:
    with triton_grpc.InferenceServerClient(GRPC) as client:
        came: queue.Queue[Any] = queue.Queue()
        for text in TEXTS:
            client.async_infer(
                MODEL, [text_input(triton_grpc, [text])], lambda result, error: came.put((result, error))
            )
        found = [came.get(timeout=30) for _ in TEXTS]
        return {
            **common(client, triton_grpc, 2**62),
            "metadata": client.get_server_metadata(as_json=True),
            "model": client.get_model_metadata(MODEL, as_json=True),
            "config": client.get_model_config(MODEL, as_json=True),
            "statistics": client.get_inference_statistics(MODEL, as_json=True),
            "async": [arrays(result) for result, _ in found],
            "repository": repository(
                client, lambda: client.get_model_repository_index(as_json=True)["models"]
            ),
            "stream": stream(client),
            "strict_stream": stream(client, {"triton_grpc_error": "true"}),
        }


async def by_asyncio() -> dict[str, Any]:
    async with triton_http_aio.InferenceServerClient(HTTP) as client:
        over_http = await client.infer(MODEL, [text_input(triton_http, TEXTS)])
    async with triton_grpc_aio.InferenceServerClient(GRPC) as client:
        over_grpc = await client.infer(MODEL, [text_input(triton_grpc, TEXTS)])
    return {"http": arrays(over_http), "grpc": arrays(over_grpc)}


def fields(message: Any) -> dict[str, list[Any]]:
    """A message's fields by name: number, type, whether repeated; those of messages inside by path."""
    found = {}
    for field in message.fields:
        kind = field.message_type or field.enum_type
        named = kind.full_name if kind else field.type
        repeated = (
            field.is_repeated
            if hasattr(field, "is_repeated")
            else field.label == FieldDescriptor.LABEL_REPEATED
        )
        found[f"{message.full_name}.{field.name}"] = [field.number, named, repeated]
    for inner in message.nested_types:
        found |= fields(inner)
    return found


def protocol() -> dict[str, Any]:
    """The protocol as the client has it."""
    files = (triton_grpc.service_pb2.DESCRIPTOR, triton_grpc.model_config_pb2.DESCRIPTOR)
    calls = files[0].services_by_name["GRPCInferenceService"].methods
    messages = {}
    for file in files:
        for message in file.message_types_by_name.values():
            messages |= fields(message)
    return {
        "fields": messages,
        "calls": {c.name: [c.input_type.full_name, c.output_type.full_name] for c in calls},
    }


found = {"http": by_http(), "grpc": by_grpc(), "asyncio": asyncio.run(by_asyncio()), "protocol": protocol()}
json.dump(found, sys.stdout)
