"""Calls the use cases of sessions in this process, for one owner."""

from collections.abc import Coroutine
from typing import Any

import pytest
from support.in_process import InProcess, context

from nextchar.errors import NextcharError
from nextchar.request_context import RequestContext
from nextchar.schemas.sessions import CreateSessionRequest, FeedRequest, SessionInfo
from nextchar.security.budgets import Allowance, Budget
from nextchar.security.principal import Principal, Scope
from nextchar.service.sessions.stores.memory import MemoryStore

ANN = Principal("k1", "ann", frozenset(Scope), Budget(Allowance()))


def owner_context(principal: Principal = ANN) -> RequestContext:
    return context(principal=principal)


class Sessions:
    """Calls the use cases of sessions for one owner."""

    def __init__(self, made: InProcess, store: MemoryStore) -> None:
        self.made, self.store, self.calls = made, store, made.service.sessions

    def create(self, session_id: str | None = "one", **fields: Any) -> SessionInfo:
        request = CreateSessionRequest(**{"model": "tiny", "seed": 3, "session_id": session_id} | fields)
        return self.made.run(self.calls.create(request, owner_context()))

    def feed(self, text: str, session_id: str = "one", **fields: Any) -> Any:
        request = FeedRequest.model_validate({"text": text, "return": "none"} | fields)
        return self.made.run(self.calls.text.feed(session_id, request, owner_context()))

    def info(self, session_id: str = "one") -> SessionInfo:
        return self.made.run(self.calls.get(session_id, owner_context()))

    def refused(self, call: Coroutine[Any, Any, Any]) -> tuple[str, str | None, str]:
        with pytest.raises(NextcharError) as caught:
            self.made.run(call)
        return caught.value.code, caught.value.param, caught.value.message

    def metric(self, name: str, **labels: str) -> float:
        return self.made.metric(name, **labels)
