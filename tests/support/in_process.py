"""Runs the use cases of a server in this process, without an API, on a loop of its own."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from nextchar.engine.deliveries import deliver_on
from nextchar.engine.options import EngineOptions
from nextchar.engine.work import UNLIMITED
from nextchar.errors import NextcharError
from nextchar.repository.folder import find_models
from nextchar.repository.manager import ModelManager
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.limits import Limits, SessionLimits
from nextchar.schemas.sessions import CreateSessionRequest, FeedRequest, SessionInfo
from nextchar.security.budgets import Allowance, Budget
from nextchar.security.principal import ANONYMOUS, Principal, Scope
from nextchar.service.composition import build_service
from nextchar.service.service import Service
from nextchar.service.sessions.stores.base import SessionStore
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.request_context import RequestContext, Route

T = TypeVar("T")
ANN = Principal("k1", "ann", frozenset(Scope), Budget(Allowance()))
_OPTIONS = EngineOptions(8, 4, 8, 1000)


@dataclass(frozen=True)
class InProcess:
    """Holds the use cases, and runs their calls one after the other."""

    service: Service
    _runner: asyncio.Runner

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(call)

    def metric(self, name: str, **labels: str) -> float:
        """Returns the value of one series; 0 if it is not there."""
        return self.service.metrics.registry.get_sample_value(name, labels) or 0.0


def context(route: Route = "session", principal: Principal = ANONYMOUS) -> RequestContext:
    return RequestContext(route, "rest", UNLIMITED, "an-id", principal=principal)


@contextmanager
def in_process(
    models: Path,
    *,
    limits: Limits | None = None,
    session_limits: SessionLimits | None = None,
    store: SessionStore | None = None,
    default_model: str | None = None,
) -> Iterator[InProcess]:
    """Serves the models of a folder for as long as the context lasts."""
    with asyncio.Runner() as runner:
        deliver = deliver_on(runner.get_loop())
        found = find_models(models)
        with ServedModels(
            found, _OPTIONS, num_threads=1, deliver=deliver, default_model=default_model
        ) as served:
            service = build_service(
                served,
                Metrics(),
                limits or Limits(),
                store=store or MemoryStore(),
                state_key=b"k" * 32,
                session_limits=session_limits or SessionLimits(),
                model_manager=ModelManager(served, models),
            )
            yield InProcess(service, runner)


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
