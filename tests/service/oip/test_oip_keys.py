"""Keys and the Open Inference Protocol: who may infer, whose sequences are whose; errors in its shape."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from support.live_server import TLS, LiveServer, live_server
from support.oip_client import body, message, stub
from support.rpc_answers import details

from nextchar.pb import inference_pb2 as pb
from nextchar.security.api_keys import make_key
from nextchar.security.principal import Scope

OWNERS = {
    "infer": ("team", [Scope.INFER]),
    "both": ("team", [Scope.INFER, Scope.SESSIONS]),
    "other": ("others", [Scope.INFER, Scope.SESSIONS]),
}


@pytest.fixture(scope="module")
def guarded(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveServer, dict[str, str]]]:
    path, keys, lines = tmp_path_factory.mktemp("keys") / "keys.jsonl", {}, []
    for name, (owner, scopes) in OWNERS.items():
        keys[name], record = make_key(owner, scopes)
        lines.append(record.line)
    path.write_text("\n".join(lines))
    with live_server(models, api_keys_file=path, state_key="k" * 32) as server:
        yield server, {**keys, "wrong": "nck-none", "none": ""}


def ask(guarded: tuple[LiveServer, dict[str, str]], key: str, **parameters: object) -> tuple[int, str]:
    """The status, and the error's code if there is one; each error is in the protocol's shape."""
    server, keys = guarded
    headers = {"X-API-Key": keys[key]} if keys[key] else {}
    url = server.url + "/v2/models/tiny/infer"
    answer = httpx.post(url, json=body(["a"], ("score",), **parameters), headers=headers, verify=TLS)
    if answer.status_code != 200:
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)
    return answer.status_code, answer.headers.get("x-error-code", "")


def test_inference_needs_a_key_that_may_infer(guarded: tuple[LiveServer, dict[str, str]]) -> None:
    assert ask(guarded, "infer") == (200, "")
    assert ask(guarded, "wrong") == (401, "invalid_api_key")
    assert ask(guarded, "none") == (401, "missing_api_key")
    server, keys = guarded
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert server.get(path).status_code == 200
    with grpc.insecure_channel(server.grpc_address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            stub(channel).ModelInfer(message("tiny", [b"a"]))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert stub(channel).ServerLive(pb.ServerLiveRequest()).live
        metadata = (("authorization", f"Bearer {keys['infer']}"),)
        streamed = stub(channel).ModelStreamInfer(iter([message("tiny", [b"a"])]), metadata=metadata)
        assert [one.error_message for one in streamed] == [""]


def test_a_sequence_needs_the_scope_of_sessions(guarded: tuple[LiveServer, dict[str, str]]) -> None:
    denied = ask(guarded, "infer", sequence_id=1, sequence_start=True)
    assert denied == (403, "permission_denied")
    assert ask(guarded, "infer", sequence_id=1) == denied
    server, keys = guarded
    metadata = (("authorization", f"Bearer {keys['infer']}"),)
    with pytest.raises(grpc.RpcError) as caught, grpc.insecure_channel(server.grpc_address) as channel:
        stub(channel).ModelInfer(message("tiny", [b"a"], sequence_id=1), metadata=metadata)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert details(caught.value)[0] == "permission_denied"


def test_sequences_of_two_owners_do_not_meet(guarded: tuple[LiveServer, dict[str, str]]) -> None:
    assert ask(guarded, "both", sequence_id="s", sequence_start=True) == (200, "")
    assert ask(guarded, "other", sequence_id="s") == (404, "session_not_found")
    assert ask(guarded, "other", sequence_id="s", sequence_start=True) == (200, "")
    assert ask(guarded, "other", sequence_id="s", sequence_end=True) == (200, "")
    assert ask(guarded, "both", sequence_id="s", sequence_end=True) == (200, "")
