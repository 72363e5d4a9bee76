"""Renders the OpenAPI document as one plain page, `/docs`, which loads nothing and runs nothing."""

import asyncio
import base64
import hashlib
import html
import json
from collections.abc import Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from nextchar.rest.http.forwarded import FORWARDED_PREFIX, forwarded_prefix

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h2{font-size:1rem;margin:1.6rem 0 .2rem}code,pre{font:13px/1.45 ui-monospace,monospace}"
    "pre{background:#f4f4f4;padding:.7rem;overflow:auto}summary{cursor:pointer;color:#555}"
    "table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class DocumentHandlers:
    """Answers requests for the OpenAPI document."""

    def __init__(self, document: Callable[[], dict[str, Any]]) -> None:
        self._document = document

    async def document(self, request: Request) -> Response:
        """Returns the document as JSON, with the path that a proxy in front has for the server."""
        prefix = forwarded_prefix(request.headers)
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return JSONResponse({**self._document(), **servers}, headers={"Vary": FORWARDED_PREFIX})

    async def page(self, _request: Request) -> Response:
        """Returns the document as a page."""
        page = await asyncio.to_thread(lambda: _page(self._document()))
        return Response(page, media_type="text/html; charset=utf-8", headers=_HEADERS)


def _page(document: dict[str, Any]) -> str:
    info, schemas = document["info"], document["components"]["schemas"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{_text(info['title'])} {_text(info['version'])}</title><style>{_STYLE}</style>",
        f"<h1>{_text(info['title'])} {_text(info['version'])}</h1><p>{_text(info.get('summary', ''))}</p>",
        "<p>For programs: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    for path, operations in document["paths"].items():
        parts += [_operation(verb, path, operation) for verb, operation in operations.items()]
    parts.append("<h1>Shapes</h1>")
    for name, schema in schemas.items():
        shown = json.dumps(schema, indent=2, ensure_ascii=False)
        parts.append(f"<h2 id='{_text(name)}'>{_text(name)}</h2><pre>{_text(shown)}</pre>")
    return "\n".join(parts)


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"<h2><code>{_text(verb.upper())} {_text(path)}</code></h2>"]
    lines.append(f"<p>{_text(operation.get('description', ''))}</p><table>")
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    lines += [f"<tr><td>body<td>{_shape(content.get('schema', {}))}" for content in bodies]
    for status, answer in operation["responses"].items():
        shapes = {_shape(content.get("schema", {})) for content in answer.get("content", {}).values()}
        lines.append(f"<tr><td>{_text(status)}<td>{_text(answer['description'])} {' '.join(sorted(shapes))}")
    return "\n".join([*lines, "</table>"])


def _shape(schema: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return f"<a href='#{_text(name)}'>{_text(name)}</a>" if name else ""


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
