"""Runs the service without a server, with one model file, for the command line."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from nextchar.engine.deliveries import deliver_on
from nextchar.engine.engine import EngineOptions
from nextchar.engine.work import UNLIMITED
from nextchar.entrypoints.composition import build_service
from nextchar.entrypoints.machine import num_cores
from nextchar.repository.folder import FoundModels, PrecisionChoice, find_model
from nextchar.repository.served_models import ServedModels
from nextchar.request_context import RequestContext, Route, make_request_id
from nextchar.schemas.limits import Limits, SessionLimits
from nextchar.service.service import Service
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.telemetry.metrics import Metrics

_UNBOUNDED = 2**62
# No limits: the user's own machine has no other clients to protect.
_OPTIONS = EngineOptions(max_lanes=64, reserved_lanes=1, max_bulk_lanes=64, max_waiting=_UNBOUNDED)
_LIMITS = Limits(
    max_strings=_UNBOUNDED,
    max_input_chars=_UNBOUNDED,
    max_request_chars=_UNBOUNDED,
    max_tokens=_UNBOUNDED,
    max_choices=_UNBOUNDED,
    max_answer_bytes=_UNBOUNDED,
)


def run_offline(
    path: Path,
    precision: PrecisionChoice,
    route: Route,
    work: Callable[[Service, str, RequestContext], Awaitable[None]],
) -> None:
    """Runs `work(service, model name, request context)` with the model at a path.

    Raises:
        NextcharError: the model cannot be opened, or `work` raises it.
    """

    async def run() -> None:
        deliver = deliver_on(asyncio.get_running_loop())
        found = find_model(path, precision)
        with ServedModels(FoundModels(), _OPTIONS, num_threads=num_cores(), deliver=deliver) as served_models:
            served_models.add(served_models.open(found))
            service = build_service(
                served_models,
                Metrics(),
                _LIMITS,
                store=MemoryStore(),
                state_key=secrets.token_bytes(32),
                session_limits=SessionLimits(),
            )
            ctx = RequestContext(route, "cli", UNLIMITED, make_request_id(None))
            await work(service, found.name, ctx)

    asyncio.run(run())
