"""What a judge cannot answer is refused with the field, the limit and what to do, by REST and gRPC."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from service.judging.served_judges import write_judge
from support.live_server import LiveServer, keyed_server, live_server
from support.rpc_answers import details

from nextchar.client import Client
from nextchar.errors import JudgeNotFound
from nextchar.pb import nextchar_pb2 as pb
from nextchar.security.principal import Scope


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("refusing")
    write_judge(folder)
    with live_server(folder / "models", max_strings=8, max_input_chars=100) as running:
        yield running


_REFUSED: list[tuple[dict[str, Any], int, str, str | None, str]] = [
    ({"judge": "none"}, 404, "judge_not_found", "judge", "served judges: words"),
    ({"judge": "words:7"}, 404, "judge_not_found", "judge", "served versions: 1"),
    ({"judge": ""}, 400, "invalid_value", "judge", "at least 1 character"),
    ({"input": []}, 400, "invalid_value", "input", "at least 1 item"),
    ({"input": ["a"] * 9}, 400, "too_many_items", "input", "the limit is 8"),
    ({"input": ["a", "a" * 101]}, 413, "input_too_large", "input.1", "the limit is 100"),
    ({"false_alarm_rate": 0.0}, 400, "invalid_value", "false_alarm_rate", "greater than 0"),
    ({"false_alarm_rate": 1.0}, 400, "invalid_value", "false_alarm_rate", "less than 1"),
    ({"false_alarm_rate": 1e-5}, 400, "invalid_value", "false_alarm_rate", "fit it on more for finer rates"),
]


@pytest.mark.parametrize(("fields", "status", "code", "param", "message"), _REFUSED)
def test_bad_requests_are_refused_alike(
    server: LiveServer, fields: dict[str, Any], status: int, code: str, param: str | None, message: str
) -> None:
    body = {"judge": "words", "input": ["a"], **fields}
    answer = server.post("/v1/judge", body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert message in error["message"]
    with server.stub() as stub:
        for call in (stub.Judge, lambda request: list(stub.JudgeStream(iter([request])))):
            with pytest.raises(grpc.RpcError) as caught:
                call(pb.JudgeRequest(**body))
            assert details(caught.value)[:2] == (code, param)


@pytest.mark.parametrize("strings", [[None], [3], "a", [["a"]]])
def test_what_is_no_string_is_refused(server: LiveServer, strings: Any) -> None:
    answer = server.post("/v1/judge", {"judge": "words", "input": strings})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("input")


def test_a_judge_must_be_named(server: LiveServer) -> None:
    answer = server.post("/v1/judge", {"input": ["a"]})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "judge")


def test_a_later_message_of_a_stream_cannot_change_the_judge(server: LiveServer) -> None:
    messages = [pb.JudgeRequest(judge="words", input=["a"]), pb.JudgeRequest(judge="words", input=["b"])]
    with server.stub() as stub, pytest.raises(grpc.RpcError, match="first message of the stream only"):
        list(stub.JudgeStream(iter(messages)))


def test_a_client_raises_the_servers_error(server: LiveServer) -> None:
    for address in (server.url, f"grpc://{server.grpc_address}"):
        with Client(address) as client, pytest.raises(JudgeNotFound, match="served judges: words"):
            client.judge(["a"], judge="none")


def test_judging_needs_the_scope_of_inference_and_listing_any_key(tmp_path: Path) -> None:
    write_judge(tmp_path)
    with keyed_server(tmp_path / "models", tmp_path, [Scope.SESSIONS]) as (running, key):
        headers = {"Authorization": f"Bearer {key}"}
        body = {"judge": "words", "input": ["a"]}
        assert running.post("/v1/judge", body).status_code == 401
        assert running.post("/v1/judge", body, headers=headers).status_code == 403
        assert running.post("/v1/reload_judges", {}, headers=headers).status_code == 403
        assert running.get("/v1/judges", headers=headers).status_code == 200
