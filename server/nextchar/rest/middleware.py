"""Gives every REST request an id, authenticates it, checks its scope, and adds the security headers.

It is pure ASGI, so that streams pass unchanged. It sets `scope["state"]["request_id"]` and `PRINCIPAL`.
"""

import logging
import time
from collections.abc import Iterable, Mapping

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextchar.errors import NextcharError
from nextchar.rest.errors import error_response
from nextchar.rest.http.path_table import PathTable
from nextchar.rest.http.strangers import StrangerCheck
from nextchar.schemas.sessions import SESSION_HEADER
from nextchar.security.access import OPEN, Need, permit
from nextchar.security.api_keys import KeyRing
from nextchar.security.principal import CLIENT_ADDRESS, PRINCIPAL
from nextchar.telemetry.request_context import make_request_id

Headers = Iterable[tuple[bytes, bytes]]
_BEARER = b"bearer "
_REQUEST_ID, _POLICY = b"x-request-id", b"content-security-policy"
_SECURITY: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
# Nothing in an answer of the API may run. Pages set a policy of their own.
_API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_PAGE_POLICY = b"frame-ancestors 'none'"
# The headers that pages of other origins may send and read.
_CORS_REQUEST = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "X-API-Key",
    "X-Request-Id",
    SESSION_HEADER,
)
_CORS_ANSWER = (
    "Retry-After",
    "Retry-After-Ms",
    "X-Model-Version",
    "X-Request-Id",
    "X-Session-Revision",
    SESSION_HEADER,
)
_HSTS = (b"strict-transport-security", b"max-age=31536000")

logger = logging.getLogger(__name__)


class GuardMiddleware:
    """Wraps an ASGI application: authenticates each request, adds its request id and the security headers.

    Without `keys` no key is needed, and `strangers` refuses what a page of another origin sends. `needs` are
    the scopes of the paths. Requests of any other path go to `no_route`, never to the application, whose
    router matches a little more than they do.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        no_route: ASGIApp,
        keys: KeyRing | None,
        needs: Mapping[str, Need],
        tls: bool = False,
        strangers: StrangerCheck | None = None,
    ) -> None:
        self._app, self._no_route = app, no_route
        self._keys, self._strangers = keys, strangers
        self._table = PathTable(needs)
        self._security = (*_SECURITY, _HSTS) if tls else _SECURITY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = make_request_id(_header(scope["headers"], _REQUEST_ID))
        scope.setdefault("state", {})["request_id"] = request_id
        added = (*self._security, (_REQUEST_ID, request_id.encode()))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*_completed(message.get("headers", ()), added)]
            await send(message)

        try:
            need = self._table.find(scope["path"])
            self._admit(scope, need)
        except NextcharError as error:
            logger.info("refused %s %s: %s [%s]", scope["method"], scope["path"], error.message, request_id)
            await error_response(error, scope["path"])(scope, receive, answer)
            return
        await (self._no_route if need is None else self._app)(scope, receive, answer)

    def _admit(self, scope: Scope, need: Need | None) -> None:
        """Authenticates a request, also one of a path that is in no table, and sets its principal.

        Raises:
            AuthenticationFailed, PermissionDenied, RateLimited: it is refused.
        """
        address, _ = scope.get("client") or ("", 0)
        CLIENT_ADDRESS.set(address)
        if need == OPEN:
            return
        if self._strangers is not None:
            self._strangers.check(scope["method"], scope["headers"])
        if self._keys is None:
            return
        principal = self._keys.find(_given_key(scope["headers"]))
        if need is not None:
            permit(principal, need)
        principal.budget.begin_request(time.monotonic())
        PRINCIPAL.set(principal)


def _given_key(headers: Headers) -> str | None:
    """Returns the key of `Authorization: Bearer`, or of `X-API-Key`."""
    given = _header(headers, b"authorization")
    if given is not None and given[: len(_BEARER)].lower() == _BEARER.decode():
        return given[len(_BEARER) :].strip()
    return _header(headers, b"x-api-key")


def _header(headers: Headers, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


def _completed(headers: Headers, added: Headers) -> Headers:
    """Yields the headers of an answer, and those of ours that it has not set itself."""
    own = {key.lower(): value for key, value in headers}
    yield from headers
    yield from (pair for pair in added if pair[0] not in own)
    if _POLICY not in own:
        is_page = own.get(b"content-type", b"").startswith(b"text/html")
        yield _POLICY, _PAGE_POLICY if is_page else _API_POLICY


def with_cors(app: ASGIApp, origins: str) -> ASGIApp:
    """Allows pages of these origins, separated by commas, to call the API; none by default."""
    allowed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=_CORS_REQUEST,
        expose_headers=_CORS_ANSWER,
    )
