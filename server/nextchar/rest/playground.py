"""Serves the page at `/`: files of the package, read once, cached by their digest."""

import hashlib
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import HTTPException, Request, Response

from nextchar.rest.http.forwarded import FORWARDED_PREFIX, forwarded_prefix
from nextchar.rest.route import RestRoute, get
from nextchar.security.access import OPEN

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# All parts of the page come from this server, and no text is ever read as code or markup.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True)
class PageFile:
    """Holds a file and how it is sent."""

    content: bytes
    media_type: str
    cache: str

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    async def answer(self, request: Request) -> Response:
        """Answers with the file, or with 304 if the client's copy is current."""
        headers = {**_HEADERS, "ETag": self.etag, "Cache-Control": self.cache}
        known = [
            tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")
        ]
        if self.etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def page_routes(grpc_port: int) -> list[RestRoute]:
    """Returns the routes of the page and of what it loads.

    Files are under the digest of all of them, so that browsers may keep them for ever. The page says which
    port gRPC has: it writes grpcurl commands.
    """
    contents = _contents(files("nextchar").joinpath("rest", "web"))
    digest = hashlib.sha256(b"".join(contents[name] for name in sorted(contents))).hexdigest()[:16]
    index = contents.pop("index.html").replace(b"{digest}", digest.encode())
    index = index.replace(b"{grpc_port}", str(grpc_port).encode())
    loaded = {
        f"/web/{digest}/{name}": PageFile(content, _MEDIA_TYPES[name.rpartition(".")[2]], _FOR_EVER)
        for name, content in contents.items()
    }

    async def page(request: Request) -> Response:
        # Relative addresses are right behind any proxy, if the page's own ends with a slash.
        prefix = forwarded_prefix(request.headers)
        content = index.replace(b"{base}", f"{prefix}/".encode() if prefix else b"")
        answer = await PageFile(content, _MEDIA_TYPES["html"], _ASK_EACH_TIME).answer(request)
        answer.headers["Vary"] = FORWARDED_PREFIX
        return answer

    async def file(request: Request) -> Response:
        found = loaded.get(request.scope["path"])
        if found is None:
            raise HTTPException(404)
        return await found.answer(request)

    row = partial(get, need=OPEN, in_document=False)
    paths = ("/web/{digest}/{name}", "/web/{digest}/{folder}/{name}")
    return [row("/", page), *(row(path, file) for path in paths)]


def _contents(folder: Traversable, prefix: str = "") -> dict[str, bytes]:
    """Reads the files of a folder and of its folders, by path."""
    found: dict[str, bytes] = {}
    for item in folder.iterdir():
        if item.is_dir():
            found |= _contents(item, f"{prefix}{item.name}/")
        else:
            found[prefix + item.name] = item.read_bytes()
    return found
