"""Authenticates every gRPC call and checks its scope; ends the calls of methods that do not exist."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from nextchar.errors import NextcharError, RouteNotFound
from nextchar.rpc.errors import ending
from nextchar.security.access import OPEN, Need, permit
from nextchar.security.api_keys import KeyRing
from nextchar.security.principal import PRINCIPAL

_BEARER = "bearer "
Continue = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


class AuthInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Authenticates each call. Without `keys` no key is needed; `needs` are the scopes of the paths."""

    def __init__(self, keys: KeyRing | None, needs: Mapping[str, Need]) -> None:
        self._keys, self._needs = keys, needs

    async def intercept_service(
        self, continuation: Continue, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Returns the handler, which runs in this task and sees its principal, or one that ends the call."""
        try:
            need = self._needs.get(details.method)
            self._admit(details, need)
            handler = await continuation(details)
            if handler is None or need is None:
                raise RouteNotFound(
                    f"there is no method {details.method[:100]!r}; the proto files list the methods"
                )
        except NextcharError as error:
            return ending(error)
        return handler

    def _admit(self, details: grpc.HandlerCallDetails, need: Need | None) -> None:
        """Authenticates a call, also one of a method that is in no table, and sets its principal.

        Raises:
            AuthenticationFailed, PermissionDenied, RateLimited: it is refused.
        """
        if self._keys is None or need == OPEN:
            return
        principal = self._keys.find(_given_key(details.invocation_metadata))
        if need is not None:
            permit(principal, need)
        principal.budget.begin_request(time.monotonic())
        PRINCIPAL.set(principal)


def _given_key(metadata: Any) -> str | None:
    """Returns the key of `authorization: Bearer`, or of `x-api-key`."""
    given = {name: value for name, value in metadata or () if isinstance(value, str)}
    bearer = given.get("authorization", "")
    if bearer[: len(_BEARER)].lower() == _BEARER:
        return str(bearer[len(_BEARER) :]).strip()
    return given.get("x-api-key")
