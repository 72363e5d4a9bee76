"""Compressed bodies: each route reads them, a bomb is refused by what it holds, and none is misread."""

import asyncio
import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support.live_server import LiveServer, live_server

from nextchar.rest.http.content_coding import _INPUT_BYTES, inflated

_LIMIT = 2 * 1024 * 1024
_SCORE = {"model": "tiny", "input": ["hello"]}


def raw_deflate(body: bytes) -> bytes:
    """Deflate without zlib's head, as some clients take the name for."""
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(body) + made.flush()


COMPRESSED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "stored": ("deflate", lambda body: zlib.compress(body, 0)),
    "raw": ("deflate", raw_deflate),
    "identity": ("identity", bytes),
    "listed": ("identity, gzip", gzip.compress),
}


@pytest.fixture(scope="module")
def bounded(models: Path) -> Iterator[LiveServer]:
    with live_server(models, max_body_bytes=_LIMIT) as running:
        running.post("/v1/sessions", {"model": "tiny", "session_id": "packed", "prime": "he"})
        yield running


def send(
    server: LiveServer, path: str, content: bytes, coding: str, *, method: str = "POST", **more: str
) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding, **more}
    return server.request(method, path, content=content, headers=headers)


@pytest.mark.parametrize("how", COMPRESSED)
@pytest.mark.parametrize("size", [0, 10, 70_000, _LIMIT - 1000])
def test_a_compressed_body_is_read_as_if_it_were_not(bounded: LiveServer, how: str, size: int) -> None:
    coding, compress = COMPRESSED[how]
    body = json.dumps(_SCORE).encode() + b" " * size
    answer = send(bounded, "/v1/score", compress(body), coding)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == bounded.post("/v1/score", _SCORE).json()["data"]


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_tensors_behind_the_json_are_inflated_with_it(bounded: LiveServer, how: str) -> None:
    """The length of the JSON is that before it was compressed, as Triton's client says it."""
    coding, compress = COMPRESSED[how]
    raw = (5).to_bytes(4, "little") + b"hello"
    tensor = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "score"}]}).encode()
    more = {"Inference-Header-Content-Length": str(len(head))}
    plain = {"Content-Type": "application/octet-stream", **more}
    path = "/v2/models/tiny/infer"
    expected = bounded.request("POST", path, content=head + raw, headers=plain)
    assert expected.status_code == 200, expected.text
    answer = send(bounded, path, compress(head + raw), coding, **more)
    assert answer.json()["outputs"] == expected.json()["outputs"]


def test_every_route_with_a_body_inflates_it(bounded: LiveServer) -> None:
    for path, body in {
        "/v1/completions": {"model": "tiny", "prompt": "he", "max_tokens": 2},
        "/v1/next": {"model": "tiny", "input": "he"},
        "/tokenize": {"model": "tiny", "prompt": "he"},
        "/v2/models/tiny/generate": {"text_input": "he", "parameters": {"max_tokens": 2}},
        "/v2/repository/index": {"ready": True},
        "/v1/sessions/packed/feed": {"text": "l"},
    }.items():
        answer = send(bounded, path, gzip.compress(json.dumps(body).encode()), "gzip")
        assert answer.status_code == 200, (path, answer.text)
    state = bounded.get("/v1/sessions/packed/state").content
    path = "/v1/sessions/packed/state"
    assert send(bounded, path, gzip.compress(state), "gzip", method="PUT").status_code == 200
    assert bounded.get(path).content != b""


@pytest.mark.parametrize("path", ["/v1/score", "/v2/models/tiny/infer", "/v2/models/tiny/generate"])
@pytest.mark.parametrize("how", ["gzip", "deflate", "raw"])
def test_a_bomb_is_too_large(bounded: LiveServer, how: str, path: str) -> None:
    coding, compress = COMPRESSED[how]
    bomb = compress(b" " * 25 * _LIMIT) if how == "gzip" else compress(b" " * (_LIMIT + 1))
    assert len(bomb) <= _LIMIT + 100
    answer = send(bounded, path, bomb, coding)
    assert answer.status_code == 413, answer.text
    assert f"the inflated body must have at most {_LIMIT} bytes" in answer.text


def test_what_is_too_large_compressed_is_not_inflated(bounded: LiveServer) -> None:
    noise = random.Random(1).randbytes(_LIMIT + 1)
    assert send(bounded, "/v1/score", gzip.compress(noise), "gzip").status_code == 413


def test_items_of_a_compressed_body_are_counted_before_they_are_built(bounded: LiveServer) -> None:
    body = b'{"model":"tiny","input":[' + b'"",' * 600_000 + b'""]}'
    answer = send(bounded, "/v1/score", gzip.compress(body), "gzip")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_items")


@pytest.mark.parametrize(
    "given", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "deflate,gzip", "utf-8"]
)
@pytest.mark.parametrize("path", ["/v1/score", "/v2/models/tiny/infer", "/v1/sessions/packed/state"])
def test_another_coding_is_refused_and_those_understood_are_told(
    bounded: LiveServer, given: str, path: str
) -> None:
    method = "PUT" if path.endswith("state") else "POST"
    answer = send(bounded, path, b"{}", given, method=method)
    assert answer.status_code == 415, answer.text
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert f"must be gzip or deflate, once, or be left out (it is '{given}')" in answer.text


def test_codings_of_two_headers_are_two(bounded: LiveServer) -> None:
    headers = [("Content-Type", "application/json"), *[("Content-Encoding", "gzip")] * 2]
    assert bounded.request("POST", "/v1/score", content=b"{}", headers=headers).status_code == 415


_WHOLE = json.dumps(_SCORE).encode()


@pytest.mark.parametrize(
    ("content", "coding", "fault"),
    [
        (_WHOLE, "gzip", "is damaged, or is not compressed so"),
        (_WHOLE, "deflate", "is damaged, or is not compressed so"),
        (gzip.compress(_WHOLE, mtime=0)[:-1], "gzip", "is cut short"),
        (gzip.compress(_WHOLE, mtime=0)[:5], "gzip", "is cut short"),
        (zlib.compress(_WHOLE)[:-5], "deflate", "is cut short"),
        (raw_deflate(_WHOLE)[:-1], "deflate", "is cut short"),
        (gzip.compress(_WHOLE, mtime=0)[:-8] + bytes(8), "gzip", "is damaged, or is not compressed so"),
        (gzip.compress(_WHOLE, mtime=0) + b"{}", "gzip", "goes on behind the end of what is compressed"),
        (
            gzip.compress(_WHOLE, mtime=0) + bytes(100_000),
            "gzip",
            "goes on behind the end of what is compressed",
        ),
        (
            zlib.compress(bytes(2**16 - 11), 0) + b"{}",
            "deflate",
            "goes on behind the end of what is compressed",
        ),
        (gzip.compress(_WHOLE, mtime=0) * 2, "gzip", "goes on behind the end of what is compressed"),
        (b"\x00", "deflate", "is cut short"),
    ],
)
def test_a_damaged_body_is_told_so(bounded: LiveServer, content: bytes, coding: str, fault: str) -> None:
    answer = send(bounded, "/v1/score", content, coding)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_body", "Content-Encoding")
    assert error["message"] == f"the header Content-Encoding says {coding}, and the body {fault}"


def test_a_case_ends_where_a_piece_to_inflate_does() -> None:
    """What goes on behind it is no part of that piece."""
    assert len(zlib.compress(bytes(2**16 - 11), 0)) == _INPUT_BYTES


def test_no_body_is_none_however_it_would_be_compressed(bounded: LiveServer) -> None:
    assert send(bounded, "/v1/sessions/packed/renew", b"", "gzip").status_code == 200


def test_a_bomb_takes_no_more_room_than_a_body_may() -> None:
    bomb = gzip.compress(bytes(200 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(Exception, match="inflated body"):
            asyncio.run(inflated(bomb, "gzip", _LIMIT))
        assert tracemalloc.get_traced_memory()[1] < 4 * _LIMIT
    finally:
        tracemalloc.stop()
