"""Every value of a path, a query and a header: an answer or the client's error, never a status 500."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from support.live_server import TLS, LiveServer

from nextchar.rest.app import RestApp

HARMFUL = {500, 501, 502}
IN_URLS = [
    *(
        str(2**31),
        str(2**63),
        str(2**64),
        str(2**1000),
        "9" * 5000,
        "-1",
        "0",
        "-0.0",
        "1e308",
        "1e400",
        "NaN",
    ),
    *(
        "Infinity",
        "true",
        "null",
        "",
        "%00",
        "a%00b",
        "%ed%a0%80",
        "%ff",
        "..",
        ".",
        "%2e%2e",
        "%2f",
        "a:b:c",
        "a" * 300,
    ),
    *(
        "tiny:" + "9" * 5000,
        "tiny:-1",
        "tiny:%00",
        "%c2%a0",
        "%0a%1b",
        "{}",
        "[]",
        "*",
        "'",
        '"',
        "%F0%9F%98%80",
    ),
]


@pytest.fixture(scope="module")
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, verify=TLS) as made:
        yield made


@pytest.mark.parametrize("value", IN_URLS, ids=lambda value: value[:12])
def test_every_value_of_a_path_or_a_query_is_taken_or_refused(
    server: LiveServer, client: httpx.Client, value: str
) -> None:
    app = RestApp(server.app.service, max_body_bytes=1, request_timeout_seconds=1)
    for route in app.routes:
        for name in re.findall(r"\{(\w+)\}", route.path):
            path = route.path.replace(f"{{{name}}}", value)
            path = re.sub(r"\{(\w+)\}", "tiny", path)
            for method in route.methods:
                answer = client.request(method, path, content=b"{}" if route.reads_body else None)
                assert answer.status_code not in HARMFUL, (method, path[:200], answer.text)
    for query in ("limit", "after", "model", value[:50] or "x"):
        for path in ("/v1/sessions", "/tokenizer_info"):
            answer = client.get(f"{path}?{query}={value}")
            assert answer.status_code not in HARMFUL, (path, query, answer.text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Inference-Header-Content-Length", "9" * 5000),
        ("Inference-Header-Content-Length", "-1"),
        ("Inference-Header-Content-Length", "1e3"),
        ("X-Request-Id", "\xff" * 100),
        ("traceparent", "00-" + "f" * 32 + "-" + "f" * 16 + "-ff"),
        ("traceparent", "9" * 5000),
        ("X-Model-Scheduling", "9" * 100),
    ],
)
def test_every_value_of_a_header_is_taken_or_refused(client: httpx.Client, name: str, value: str) -> None:
    headers = [(name.encode(), value.encode("latin-1"))]
    for path in ("/v1/score", "/v2/models/tiny/infer"):
        answer = client.post(path, content=b'{"model":"tiny","input":["a"]}', headers=headers)
        assert answer.status_code not in HARMFUL, answer.text
    assert client.get("/v2/models/tiny/config", headers=headers).status_code not in HARMFUL


def test_a_byte_order_mark_before_a_body_has_no_meaning(client: httpx.Client) -> None:
    body = json.dumps({"model": "tiny", "input": ["é"]})
    plain = client.post("/v1/score", content=body.encode()).json()
    assert client.post("/v1/score", content=body.encode("utf-8-sig")).json() == plain
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        refused = client.post("/v1/score", content=body.encode(encoding)).json()["error"]
        assert refused["code"] == "invalid_json"
    assert "it is UTF-16; send UTF-8" in client.post("/v1/score", content=body.encode("utf-16")).text


def test_of_a_field_that_is_given_twice_the_last_counts(client: httpx.Client) -> None:
    answer = client.post("/v1/score", content=b'{"model":"none","input":["a"],"model":"tiny"}')
    assert answer.status_code == 200


def test_an_id_of_more_than_64_bits_is_no_id(client: httpx.Client) -> None:
    for number in (2**63, 2**64, 2**1000):
        answer = client.post("/v1/completions", json={"model": "tiny", "prompt": [number]})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", "prompt")
        assert "an id is from 0 to 9223372036854775807" in error["message"]
