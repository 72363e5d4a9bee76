"""Pages of other origins: without API keys they may not make a browser use the server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.live_server import Keyed, LiveServer, keyed_server, live_server

from nextchar.errors import ForeignRequest
from nextchar.rest.http.strangers import StrangerCheck

_CREATE = "/v1/sessions"
_OTHERS = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "null"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "localhost.evil.example:80"},
    {"Host": "evil.example", "Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
]
_OWN: list[dict[str, str]] = [
    {},
    {"Host": "localhost"},
    {"Host": "LOCALHOST.:8000"},
    {"Host": "[::1]:8000"},
    {"Host": "10.1.2.3:8000"},  # a probe of Kubernetes, or Prometheus, by the address of the pod
    {"Host": "a.localhost"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Host": "127.0.0.1:8", "Origin": "http://127.0.0.1:8"},
    {"Host": "127.0.0.1:8", "Origin": "http://127.0.0.1:8", "Sec-Fetch-Site": "same-origin"},
]


@pytest.fixture(scope="module")
def keyed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_server(models, tmp_path_factory.mktemp("keys")) as made:
        yield made


def create(server: LiveServer, headers: dict[str, str]) -> httpx.Response:
    return server.post(_CREATE, {"model": "tiny"}, headers=headers)


@pytest.mark.parametrize("headers", _OTHERS, ids=str)
def test_what_a_page_of_another_origin_sends_is_refused_and_changes_nothing(
    server: LiveServer, headers: dict[str, str]
) -> None:
    before = server.metric("nextchar_sessions_created_total")
    answer = create(server, headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_request")
    assert server.metric("nextchar_sessions_created_total") == before


@pytest.mark.parametrize("headers", _OWN, ids=str)
def test_the_servers_own_page_and_other_programs_are_served(
    server: LiveServer, headers: dict[str, str]
) -> None:
    answer = create(server, headers)
    assert answer.status_code == 201
    server.request("DELETE", f"{_CREATE}/{answer.json()['session_id']}")


@pytest.mark.parametrize("headers", _OTHERS, ids=str)
def test_a_server_with_keys_asks_for_the_key_alone(keyed: Keyed, headers: dict[str, str]) -> None:
    server, key = keyed
    assert create(server, headers).status_code == 401
    assert create(server, {**headers, "X-API-Key": key}).status_code == 201


@pytest.mark.parametrize("path", ["/livez", "/v2/health/ready", "/"])
@pytest.mark.parametrize("headers", _OTHERS, ids=str)
def test_health_and_the_page_itself_are_for_everybody(
    server: LiveServer, path: str, headers: dict[str, str]
) -> None:
    assert server.get(path, headers=headers).status_code == 200


def test_a_link_may_lead_to_what_is_only_read(server: LiveServer) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.get("/docs", headers=followed).status_code == 200
    assert create(server, followed).status_code == 403


def test_settings_name_the_others_that_may(models: Path) -> None:
    origins, hosts = "https://a.example, https://b.example", "models.example, *.team.example"
    with live_server(models, cors_origins=origins, allowed_hosts=hosts) as server:
        allowed = {"Origin": "https://b.example", "Sec-Fetch-Site": "cross-site"}
        answer = create(server, allowed)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (
            201,
            "https://b.example",
        )
        assert create(server, allowed | {"Origin": "https://c.example"}).status_code == 403
        for host, status in {
            "models.example": 201,
            "MODELS.example:8000": 201,
            "x.team.example": 201,
            "team.example": 403,
            "xteam.example": 403,
        }.items():
            assert create(server, {"Host": host}).status_code == status, host


def check(method: str, *headers: tuple[str, str], **options: Any) -> None:
    given = [(name.encode(), value.encode()) for name, value in headers]
    StrangerCheck(**{"origins": "", **options}).check(method, given)


def test_a_second_header_does_not_hide_behind_the_first() -> None:
    for first, second in (("localhost", "evil.example"), ("evil.example", "localhost")):
        with pytest.raises(ForeignRequest):
            check("POST", ("host", first), ("host", second))
    with pytest.raises(ForeignRequest):
        check("POST", ("host", "x.localhost"), ("origin", "http://x.localhost"), ("origin", "http://evil"))


def test_http_1_0_names_no_host_and_is_served() -> None:
    check("GET")


def test_with_tls_any_name_that_has_a_certificate_will_do_but_no_other_page() -> None:
    check("POST", ("host", "models.example"), checks_host=False)
    with pytest.raises(ForeignRequest):
        check("POST", ("host", "models.example"), ("origin", "https://evil.example"), checks_host=False)


def test_all_may_be_allowed() -> None:
    check("POST", ("host", "localhost"), ("origin", "https://evil.example"), origins="*")
    check("POST", ("host", "evil.example"), hosts="*")


_SCORE = json.dumps({"model": "tiny", "input": ["a"]})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # Triton's client names no type
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "Application/JSON ; charset=utf-8"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json-patch+json"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Sec-Fetch-Site": "same-origin"}, 415),
        ({"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}, 200),
    ],
    ids=str,
)
def test_a_json_body_is_called_json(keyed: Keyed, headers: dict[str, str], status: int) -> None:
    server, key = keyed
    answer = server.request("POST", "/v1/score", content=_SCORE, headers={"X-API-Key": key, **headers})
    assert answer.status_code == status
    if status == 415:
        assert answer.json()["error"]["code"] == "unsupported_media_type"
        assert "application/json" in answer.json()["error"]["message"]


def test_a_body_of_unknown_length_that_a_browser_sends_is_called_json_too(server: LiveServer) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = server.request("POST", "/v1/score", content=iter([_SCORE.encode()]), headers=headers)
    assert answer.status_code == 415


def test_a_page_may_send_no_body_at_all(server: LiveServer) -> None:
    answer = server.request("POST", "/v2/repository/index", headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 200


def test_states_and_tensors_are_not_json(server: LiveServer) -> None:
    made = create(server, {}).json()["session_id"]
    state = server.get(f"{_CREATE}/{made}/state").content
    headers = {"Content-Type": "application/octet-stream"}
    answer = server.request("PUT", f"{_CREATE}/{made}/state", content=state, headers=headers)
    assert answer.status_code == 200
    server.request("DELETE", f"{_CREATE}/{made}")
