"""Keys: who is let in, how far, and whose sessions it sees; over REST and gRPC alike."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc
import httpx
import pytest
from click.testing import CliRunner
from support.live_server import TLS, LiveServer, live_server
from support.rpc_answers import details
from support.waiting import until

from nextchar.client import Client
from nextchar.entrypoints.main import main
from nextchar.errors import AuthenticationFailed, PermissionDenied, SettingsInvalid
from nextchar.pb import nextchar_pb2 as pb
from nextchar.pb import nextchar_pb2_grpc as stubs
from nextchar.security import key_file
from nextchar.security.api_keys import KeyRing, make_key, read_records
from nextchar.security.key_file import KeyFile
from nextchar.security.principal import Scope

SCORE = {"model": "tiny", "input": ["abc"]}
OWNERS = {
    "all": ("team", list(Scope)),
    "infer": ("team", [Scope.INFER]),
    "sessions": ("team", [Scope.SESSIONS]),
    "metrics": ("team", [Scope.METRICS]),
    "other": ("others", [Scope.INFER, Scope.SESSIONS]),
}


@dataclass(frozen=True)
class Guarded:
    server: LiveServer
    keys: dict[str, str]

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def ask(self, name: str, method: str, path: str, **how: object) -> httpx.Response:
        url = self.server.url + path
        return httpx.request(method, url, headers=self.headers(name), timeout=30, verify=TLS, **how)  # type: ignore[arg-type]

    def metadata(self, name: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.keys[name]}"),)


@pytest.fixture(scope="module")
def guarded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    path, keys = tmp_path_factory.mktemp("keys") / "keys.jsonl", {}
    lines = ["# who may do what", ""]
    for name, (owner, scopes) in OWNERS.items():
        keys[name], record = make_key(owner, scopes)
        lines.append(record.line)
    path.write_text("\n".join(lines))
    with live_server(models, api_keys_file=path, state_key="k" * 32) as server:
        yield Guarded(server, keys)


def told(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["type"], error["code"]


def test_without_a_good_key_nothing_is_answered(guarded: Guarded) -> None:
    key = guarded.keys["all"]
    wrong = [{}, {"Authorization": "Bearer " + key[:-1]}, {"X-API-Key": key + "x"}, {"X-API-Key": "nck--"}]
    wrong += [{"Authorization": key}, {"Authorization": "Bearer"}, {"X-API-Key": b"\xc3\xa9"}]  # type: ignore[dict-item]
    for headers in wrong:
        answer = guarded.server.post("/v1/score", SCORE, headers=headers)
        status, kind, code = told(answer)
        assert (status, kind) == (401, "authentication_error")
        assert code in ("missing_api_key", "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert key not in answer.text


@pytest.mark.parametrize("header", ["Authorization", "authorization", "X-API-Key"])
def test_a_key_comes_in_either_header(guarded: Guarded, header: str) -> None:
    key = guarded.keys["infer"]
    value = f"bearer {key}" if header.lower() == "authorization" else key
    answer = guarded.server.post("/v1/score", SCORE, headers={header: value})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [
        ("infer", "GET", "/v1/models", 200),
        ("infer", "GET", "/v1/sessions", 403),
        ("infer", "GET", "/metrics", 403),
        ("sessions", "GET", "/v1/sessions", 200),
        ("sessions", "POST", "/v1/score", 403),
        ("metrics", "GET", "/metrics", 200),
        ("metrics", "GET", "/v1/sessions/a/state", 403),
        ("all", "GET", "/nothing/here", 404),
        ("all", "GET", "/v1/score", 405),
    ],
)
def test_a_key_reaches_as_far_as_its_scopes(
    guarded: Guarded, name: str, method: str, path: str, status: int
) -> None:
    answer = guarded.ask(name, method, path)
    assert answer.status_code == status
    if status == 403:
        assert told(answer) == (403, "permission_error", "permission_denied")


def test_health_and_the_metrics_port_need_no_key(guarded: Guarded) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/livez", "/readyz", "/health"):
        assert guarded.server.get(path).status_code == 200
    assert httpx.get(guarded.server.metrics_url).status_code == 200
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(guarded.server.grpc_address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING


def test_a_stream_passes_the_guard(guarded: Guarded) -> None:
    body = {"model": "tiny", "max_tokens": 40, "seed": 1, "stream": True}
    answer = guarded.ask("infer", "POST", "/v1/completions", json=body)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_grpc_asks_for_the_same(guarded: Guarded) -> None:
    with grpc.insecure_channel(guarded.server.grpc_address) as channel:
        stub, request = stubs.NextcharStub(channel), pb.ScoreRequest(**SCORE)
        assert stub.Score(request, metadata=guarded.metadata("infer")).data[0].num_chars == 3
        assert stub.Score(request, metadata=(("x-api-key", guarded.keys["all"]),)).data
        for metadata, code, reason in (
            ((), grpc.StatusCode.UNAUTHENTICATED, "missing_api_key"),
            ((("x-api-key", "x"),), grpc.StatusCode.UNAUTHENTICATED, "invalid_api_key"),
            (guarded.metadata("sessions"), grpc.StatusCode.PERMISSION_DENIED, "permission_denied"),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                stub.Score(request, metadata=metadata)
            assert caught.value.code() is code
            assert details(caught.value)[0] == reason
            with pytest.raises(grpc.RpcError) as caught:
                list(stub.Complete(pb.CompletionRequest(model="tiny"), metadata=metadata))
            assert caught.value.code() is code


def test_a_call_there_is_not_ends_with_details(guarded: Guarded, server: LiveServer) -> None:
    for address in (guarded.server.grpc_address, server.grpc_address):
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/nextchar.v1.Nextchar/Fly")(b"", metadata=guarded.metadata("all"))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert details(caught.value)[0] == "not_found"


def test_a_session_of_one_owner_is_not_there_for_another(guarded: Guarded) -> None:
    made = guarded.ask("all", "POST", "/v1/sessions", json={"model": "tiny", "session_id": "mine"})
    assert made.status_code == 201
    assert guarded.ask("sessions", "GET", "/v1/sessions/mine").status_code == 200  # the owner's other key
    stolen = guarded.ask("other", "GET", "/v1/sessions/mine")
    assert told(stolen) == (404, "invalid_request_error", "session_not_found")
    assert guarded.ask("other", "POST", "/v1/sessions/mine/feed", json={"text": "a"}).status_code == 404
    assert guarded.ask("other", "GET", "/v1/sessions").json()["data"] == []
    with grpc.insecure_channel(guarded.server.grpc_address) as channel:
        stub = stubs.SessionsStub(channel)
        mine = pb.SessionId(session_id="mine")
        assert stub.Get(mine, metadata=guarded.metadata("sessions")).session_id == "mine"
        with pytest.raises(grpc.RpcError) as caught:
            stub.Get(mine, metadata=guarded.metadata("other"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        conversation = stub.Converse(iter([pb.SessionCall(open=mine)]), metadata=guarded.metadata("other"))
        with pytest.raises(grpc.RpcError) as caught:
            list(conversation)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_sealed_state_of_one_owner_is_refused_to_another(guarded: Guarded) -> None:
    for name, session_id in (("all", "from"), ("sessions", "same"), ("other", "to")):
        body = {"model": "tiny", "session_id": session_id, "prime": "abc"}
        assert guarded.ask(name, "POST", "/v1/sessions", json=body).status_code == 201
    sealed = guarded.ask("all", "GET", "/v1/sessions/from/state").content
    assert guarded.ask("sessions", "PUT", "/v1/sessions/same/state", content=sealed).status_code == 200
    answer = guarded.ask("other", "PUT", "/v1/sessions/to/state", content=sealed)
    assert told(answer) == (400, "invalid_request_error", "state_invalid")
    with grpc.insecure_channel(guarded.server.grpc_address) as channel:
        message = pb.SessionState(session_id="to", state=sealed)
        with pytest.raises(grpc.RpcError) as caught:
            stubs.SessionsStub(channel).ImportState(message, metadata=guarded.metadata("other"))
    assert details(caught.value)[0] == "state_invalid"


def test_a_new_key_is_printed_once_and_kept_as_its_hash(tmp_path: Path) -> None:
    path, run = tmp_path / "keys.jsonl", CliRunner().invoke
    made = run(main, ["keys", "new", "--file", str(path), "--owner", "me", "--scope", "infer", "--days", "1"])
    key = made.output.strip()
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.split("-", 2)[2] not in path.read_text()  # the secret, which may have a "-" itself
    assert (
        run(main, ["keys", "new", "--file", str(path), "--owner", "you", "--scope", "admin"]).exit_code == 0
    )
    ring = KeyRing(read_records(path))
    assert len(ring) == 2
    assert ring.find(key).owner == "me"
    listed = run(main, ["keys", "list"], env={"NEXTCHAR_API_KEYS_FILE": str(path)}).output
    assert "me  infer  until" in listed
    assert run(main, ["keys", "new", "--owner", "me", "--scope", "root"]).exit_code == 2


def test_an_expired_key_is_told_so() -> None:
    key, record = make_key("me", [Scope.INFER], expires=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(AuthenticationFailed) as caught:
        KeyRing([record]).find(key)
    assert caught.value.code == "expired_api_key"


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys"
    (old, old_record), (new, new_record) = make_key("a", [Scope.INFER]), make_key("b", [Scope.ADMIN])
    path.write_text(old_record.line)
    keys = KeyFile(path)
    before = keys.ring.find(old)
    path.write_text(f"{old_record.line}\n{new_record.line}\n")
    asyncio.run(keys.reload_if_changed())
    assert keys.ring.find(new).owner == "b"
    assert keys.ring.find(old) is before  # and with it what it is in the middle of
    path.write_text("{")
    asyncio.run(keys.reload_if_changed())
    assert keys.ring.find(new).owner == "b"
    assert "the keys stay unchanged" in caplog.text
    path.write_text(new_record.line)
    asyncio.run(keys.reload_if_changed())
    with pytest.raises(AuthenticationFailed):
        keys.ring.find(old)


def test_a_running_server_reads_its_keys_again(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "_CHECK_SECONDS", 0.02)
    path = tmp_path / "keys"
    path.touch()
    key, record = make_key("a", [Scope.INFER])
    with live_server(models, api_keys_file=path) as server:
        headers = {"X-API-Key": key}
        assert server.get("/v1/models", headers=headers).status_code == 401
        path.write_text(record.line)
        until(lambda: server.get("/v1/models", headers=headers).status_code == 200)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ('\n{"id": "a"}', "line 2"),
        (json.dumps({"id": "a", "owner": "", "scopes": ["infer"], "sha256": "0" * 64}), "owner"),
        (json.dumps({"id": "a", "owner": "a", "scopes": ["all"], "sha256": "0" * 64}), "scopes"),
        (json.dumps({"id": "a", "owner": "a", "scopes": ["infer"], "sha256": "x"}), "sha256"),
        ("\n".join([make_key("a", [Scope.INFER])[1].line] * 2), "two keys with the id"),
        ("\udcff", "it is not UTF-8"),
    ],
)
def test_a_file_that_is_none_says_where(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsInvalid, match=why):
        read_records(path)
    with pytest.raises(SettingsInvalid, match="cannot read"):
        read_records(tmp_path / "none")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_client_shows_its_key_and_raises_what_it_may_not_do(guarded: Guarded, scheme: str) -> None:
    server = guarded.server
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    with Client(url, api_key=guarded.keys["infer"]) as client:
        assert client.score(["abc"], model="tiny").data
        assert list(client.score_stream(["abc"], model="tiny"))
        with pytest.raises(PermissionDenied):
            client.session(model="tiny")
    for key in (None, "nobody's"):
        with Client(url, api_key=key) as client, pytest.raises(AuthenticationFailed):
            client.score(["abc"], model="tiny")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_command_line_reads_its_key_from_the_environment(guarded: Guarded, scheme: str) -> None:
    server = guarded.server
    url = server.url if scheme == "http" else f"grpc://{server.grpc_address}"
    command = ["score", "tiny", "abc", "--url", url]
    known = CliRunner(env={"NEXTCHAR_API_KEY": guarded.keys["infer"]}).invoke(main, command)
    assert known.exit_code == 0
    unknown = CliRunner(env={"NEXTCHAR_API_KEY": None}).invoke(main, command)
    assert (unknown.exit_code, len(unknown.stderr.splitlines())) == (2, 1)
