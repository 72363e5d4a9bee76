"""Raw bytes to a running server, through HTTP and gRPC: it refuses them, and is as well as before."""

from collections.abc import Sequence
from pathlib import Path

import grpc
import httpx
from hardening.fuzz_seeds import seeds
from hardening.mutation import mutated
from service.judging.served_judges import write_judge
from support.server_process import ServerProcess, server_process
from support.tiny_models import TEXT, write_models

from nextchar.pb import inference_pb2
from nextchar.pb import nextchar_pb2 as pb

_PATHS = (
    *("/v1/score", "/v1/next", "/v1/completions", "/v1/sessions", "/v1/sessions/s/feed"),
    *("/v1/sessions/s/sample", "/v1/sessions/s/next", "/v1/sessions/s/score", "/v1/sessions/s/checkpoint"),
    *(
        "/v1/sessions/s/state",
        "/v1/sessions/s/rewind",
        "/v1/sessions/s/fork",
        "/v1/sessions/s/renew",
        "/v1/compare",
        "/v1/inspect",
        "/v1/judge",
        "/v1/reload_judges",
        "/tokenize",
        "/detokenize",
        "/v2/repository/index",
        "/v2/models/tiny/infer",
        "/v2/models/tiny/generate",
    ),
)
_BAD_STATUS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
# What protobuf cannot read, gRPC itself answers so, before any code of ours.
_UNREADABLE = "Exception deserializing request!"
_WARM_UP = 500


def knock(folder: Path, count: int, seed: int) -> tuple[int, int]:
    """So many inputs to a server; the bytes of memory it held after the first of them, and after all.

    Raises:
        AssertionError: it failed at one, or is not well afterwards.
    """
    models = write_models(folder / "models", {"tiny": TEXT})
    write_judge(folder)
    with server_process(
        models, "--log-level", "error", "--max-tokens", "64", "--max-sessions", "64"
    ) as server:
        httpx.post(f"{server.url}/v1/sessions", json={"model": "tiny", "session_id": "s", "prime": "ab"})
        _knock(server, min(_WARM_UP, count), seed + 1)
        before = server.resident_bytes
        _knock(server, count, seed)
        after = server.resident_bytes
        assert httpx.get(f"{server.url}/health").status_code == 200
        metrics = httpx.get(f"{server.url}/metrics").text
        assert "nextchar_requests_in_progress" in metrics
        busy = [line for line in metrics.splitlines() if line.startswith("nextchar_requests_in_progress{")]
        assert all(float(line.rpartition(" ")[2]) == 0 for line in busy), busy
    return before, after


def _knock(server: ServerProcess, count: int, seed: int) -> None:
    found = seeds()
    half = count // 2
    with httpx.Client(base_url=server.url, timeout=30) as client:
        bodies = [data[1:] for data in found["body"]] + found["infer_body"] + found["state"]
        for number, data in enumerate(mutated(bodies, half, seed)):
            _post(client, _PATHS[number % len(_PATHS)], data)
    methods = _methods()
    with grpc.insecure_channel(server.grpc_address) as channel:
        messages = [data[1:] for data in found["message"]] + found["infer_message"] + found["state"]
        for number, data in enumerate(mutated(messages, count - half, seed)):
            _call(channel, methods[number % len(methods)], data)


def _post(client: httpx.Client, path: str, data: bytes) -> None:
    verb = "PUT" if path.endswith("/state") else "POST"
    answer = client.request(verb, path, content=data)
    assert answer.status_code < 500 or answer.status_code == 503, (path, data, answer.text)


def _methods() -> Sequence[tuple[str, bool, bool]]:
    """Path, whether it reads a stream, whether it gives one; of every method."""
    services = (
        *pb.DESCRIPTOR.services_by_name.values(),
        *inference_pb2.DESCRIPTOR.services_by_name.values(),
    )
    return [
        (f"/{service.full_name}/{method.name}", method.client_streaming, method.server_streaming)
        for service in services
        for method in service.methods
    ]


def _call(channel: grpc.Channel, method: tuple[str, bool, bool], data: bytes) -> None:
    path, reads, gives = method
    make = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[reads, gives]
    try:
        answer = make(path)(iter([data, data]) if reads else data, timeout=30)
        if gives:
            list(answer)
    except grpc.RpcError as error:
        if error.code() in _BAD_STATUS and _UNREADABLE not in str(error.details()):
            raise AssertionError(path, data) from error
