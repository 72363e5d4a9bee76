"""The page as files: their types, what browsers may keep, and a policy that lets nothing in."""

import re
from pathlib import Path

import pytest
from support.live_server import LiveServer, live_server

_WEB = Path(__file__).parents[2] / "server" / "nextchar" / "rest" / "web"
_FILES = sorted(_WEB.rglob("*.*"))
assert len(_FILES) > 30
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def folder(server: LiveServer) -> str:
    """Where the page's files are, as the page says."""
    found = re.search(r'src="(web/[0-9a-f]{16}/)app\.js"', server.get("/").text)
    assert found is not None
    return "/" + found.group(1)


def test_every_file_is_sent_with_its_type_and_its_digest(server: LiveServer) -> None:
    base = folder(server)
    for path in _FILES:
        where = "/" if path.name == "index.html" else base + str(path.relative_to(_WEB))
        answer = server.get(where)
        assert answer.status_code == 200, path.name
        assert answer.headers["content-type"] == _TYPES[path.suffix]
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path.name != "index.html":
            assert answer.content == path.read_bytes()
        again = server.get(where, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert server.request("HEAD", where).status_code == 200


def test_files_are_kept_for_ever_under_their_digest_and_the_page_is_asked_for(server: LiveServer) -> None:
    assert server.get("/").headers["cache-control"] == "no-cache"
    app = server.get(folder(server) + "app.js")
    assert app.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert server.get("/web/0000000000000000/app.js").status_code == 404


def test_the_policy_lets_nothing_in(server: LiveServer) -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in server.get("/").headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) <= {"'self'", "'none'", "'script'"}
    assert policy["require-trusted-types-for"] == "'script'"


def test_the_page_names_nothing_from_elsewhere_and_has_nothing_inline() -> None:
    for path in _FILES:
        text = path.read_text()
        for address in re.findall(r"https?://[^\s\"'`)]+", text):
            assert address.startswith("http://www.w3.org/"), (path.name, address)  # XML namespaces
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text), (
            path.name
        )
    index = (_WEB / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index)


def test_modules_stay_short() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in _FILES if path.suffix == ".js"}
    assert {name for name, length in lengths.items() if length > 300} == set()
    assert max(lengths.values()) > 100


def test_the_page_says_which_port_grpc_has(server: LiveServer) -> None:
    assert f'name="nextchar-grpc-port" content="{server.app.grpc_port}"' in server.get("/").text


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        ("/nc", "/nc/"),
        ("/a/b-c_d.e~f/", "/a/b-c_d.e~f/"),
        *((wrong, "") for wrong in ("", "/", "nc", "//evil.example", "/a//b", "/..", "/a/./b", "/a, /b")),
        *((wrong, "") for wrong in ('/"><script>', "/a b", "/a?b", "/%2e", "https://evil.example")),
    ],
)
def test_the_page_and_the_document_are_where_a_proxy_says(
    server: LiveServer, given: str, prefix: str
) -> None:
    headers = {"X-Forwarded-Prefix": given}
    page, document = (server.get(path, headers=headers) for path in ("/", "/openapi.json"))
    assert re.findall(r'src="([^"]*)web/', page.text) == [prefix]
    assert document.json().get("servers") == ([{"url": prefix.rstrip("/")}] if prefix else None)
    assert page.headers["vary"] == document.headers["vary"] == "X-Forwarded-Prefix"
    assert server.get("/", headers=headers | {"If-None-Match": page.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/", "/web/0000000000000000/app.js"])
def test_it_can_be_turned_off(models: Path, path: str) -> None:
    with live_server(models, playground=False) as server:
        assert server.get(path).status_code == 404
        assert server.get("/v1/models").status_code == 200
