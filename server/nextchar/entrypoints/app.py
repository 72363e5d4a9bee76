"""Builds the server from its settings, starts it and drains it (the composition root)."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import disable_created_metrics

from nextchar.engine.deliveries import deliver_on
from nextchar.entrypoints.descriptor_limit import fit_connections
from nextchar.entrypoints.exposure_warning import warn_if_exposed
from nextchar.entrypoints.listeners import http_server, http_tls, metrics_listener, rpc_server
from nextchar.entrypoints.machine import keep_trimmed
from nextchar.entrypoints.session_backend import check_key, confirm_key, session_store, state_key
from nextchar.entrypoints.settings import Settings
from nextchar.entrypoints.settings_options import (
    api_limits,
    engine_options,
    limits,
    model_manager_options,
    session_limits,
)
from nextchar.entrypoints.standard_streams import print_beside
from nextchar.entrypoints.supervisor import Supervisor
from nextchar.errors import Unavailable
from nextchar.repository.default_model import check_names
from nextchar.repository.folder import find_models
from nextchar.repository.judge_path import judges_folder
from nextchar.repository.judges import ServedJudges, watch_judges
from nextchar.repository.manager import ModelManager
from nextchar.repository.served_models import ServedModels
from nextchar.repository.watcher import watch_models
from nextchar.schemas.base import build_schemas
from nextchar.security.api_keys import KeyRing
from nextchar.security.key_file import KeyFile
from nextchar.security.state_key import StateKey
from nextchar.service.composition import build_service
from nextchar.service.service import Service
from nextchar.service.sessions.stores.base import SessionStore
from nextchar.telemetry.access_log import AccessLog
from nextchar.telemetry.metrics import Metrics
from nextchar.telemetry.tracing import call_tracer

_DRAIN_LOOK_SECONDS = 0.02
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """A running server and where it listens."""

    service: Service
    http_port: int
    grpc_port: int
    metrics_port: int


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Runs a server for as long as the context lasts; leaving the context drains it.

    Raises:
        ModelFileError: the models folder, or the judges folder that is set, does not exist or cannot be read.
        CannotListen: a port is in use.
        SettingsInvalid, Unavailable: the session store is unknown, cannot be opened, or has another key; the
            default model is not in the folder.
    """
    settings, metrics = fit_connections(settings), _metrics(settings)
    warn_if_exposed(settings)
    async with AsyncExitStack() as stack:
        served_models = stack.enter_context(_served_models(settings))
        check_names(settings.default_model, settings.model_session_ttl_seconds, served_models.known)
        metrics.collect_from(served_models)
        if settings.otlp_endpoint is not None:
            # First, so that the access log knows the trace of a request.
            metrics.observers.insert(0, stack.enter_context(call_tracer(settings.otlp_endpoint)))
        model_manager = ModelManager(served_models, settings.models, model_manager_options(settings))
        stack.push_async_callback(model_manager.close)  # before the models are: a change of them would go on
        served_judges = _served_judges(served_models, settings)
        key = state_key(settings)
        store = await stack.enter_async_context(session_store(settings, key))
        service = build_service(
            served_models,
            metrics,
            limits(settings),
            store=store,
            state_key=key.secret,
            session_limits=session_limits(settings),
            api_limits=api_limits(settings),
            model_manager=model_manager,
            served_judges=served_judges,
        )
        supervisor = await stack.enter_async_context(Supervisor(metrics.registry, service.lifecycle.fail))
        await _follow_key(key, store, supervisor)
        supervisor.start("memory", keep_trimmed())
        maintenance = service.session_maintenance
        supervisor.start("session_maintenance", maintenance.run())
        unloading = model_manager.unload_retired(maintenance.count_of, maintenance.left_behind)
        supervisor.start("model_unloader", unloading)
        if settings.model_poll_seconds:
            _follow_folders(model_manager, served_judges, settings, supervisor)
        keys = _keys(settings, supervisor)
        rpc = rpc_server(service, settings, keys)
        tls = http_tls(settings, supervisor)
        http = http_server(service, settings, keys, tls=tls, grpc_port=rpc.port)
        stack.callback(http.close)
        with metrics_listener(metrics, settings) as metrics_port:
            supervisor.watch("http_server", await http.start())
            supervisor.watch("grpc_health", await rpc.start())
            supervisor.start("schema_builder", build_schemas())
            try:
                yield App(service, http.port, rpc.port, metrics_port)
            finally:
                await _drained(service, settings.shutdown_timeout_seconds, http.stop, rpc.stop)
                await maintenance.leave()


def _metrics(settings: Settings) -> Metrics:
    disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the series, and nothing reads them
    metrics = Metrics()
    if settings.log_requests:
        metrics.observers.append(AccessLog())
    return metrics


def _served_models(settings: Settings) -> ServedModels:
    return ServedModels(
        find_models(settings.models, settings.precision),
        engine_options(settings),
        num_threads=settings.engine_threads,
        deliver=deliver_on(asyncio.get_running_loop()),
        latest_only=settings.model_versions == "latest",
        strict_readiness=settings.strict_readiness,
        default_model=settings.default_model,
        kernels=settings.kernels,
    )


def _served_judges(served_models: ServedModels, settings: Settings) -> ServedJudges:
    judges = ServedJudges(served_models, judges_folder(settings.judges, settings.models))
    judges.load()
    return judges


def _follow_folders(
    model_manager: ModelManager, judges: ServedJudges, settings: Settings, supervisor: Supervisor
) -> None:
    """Loads the models and judges that come into their folders, and unloads those that go."""
    known, seconds = model_manager.served_models.fingerprints, settings.model_poll_seconds
    watching = watch_models(model_manager, settings.models, known=known, poll_seconds=seconds)
    supervisor.start("model_watcher", watching)
    supervisor.start("judge_watcher", watch_judges(judges, seconds))


async def _follow_key(key: StateKey, store: SessionStore, supervisor: Supervisor) -> None:
    """Checks that the store has this key, now or once it can be reached; keeps the file of the key."""
    try:
        await check_key(store, key)
    except Unavailable:
        supervisor.start("store_key", confirm_key(store, key))
    supervisor.start("state_key", key.follow())


async def _drained(
    service: Service, timeout_seconds: float, *stops: Callable[[float], Coroutine[Any, Any, None]]
) -> None:
    """Refuses new requests, waits until the running ones end or the timeout is over, then stops both APIs."""
    deadline = time.monotonic() + timeout_seconds
    service.lifecycle.drain(timeout_seconds)
    while service.metrics.num_in_progress and time.monotonic() < deadline:
        await asyncio.sleep(_DRAIN_LOOK_SECONDS)
    left = max(0.0, deadline - time.monotonic())
    await asyncio.gather(*(stop(left) for stop in stops))


def _keys(settings: Settings, supervisor: Supervisor) -> KeyRing | None:
    """Returns the API keys, reloaded when their file changes; None if no file is set."""
    if settings.api_keys_file is None:
        return None
    keys = KeyFile(settings.api_keys_file, max_lanes=settings.max_lanes_per_key)
    supervisor.start("key_file", keys.follow())
    return keys.ring


async def serve(settings: Settings, on_ready: Callable[[App], str]) -> None:
    """Runs the server until SIGTERM, SIGINT or SIGHUP; a second signal ends it at once.

    Prints what `on_ready` returns. Raises as `running`, and OSError where it cannot be printed.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup makes SIGHUP
            loop.add_signal_handler(number, _on_signal, number, stop)
    async with running(settings) as app:
        printing = asyncio.create_task(print_beside(on_ready(app)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((printing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if printing.done():
            printing.result()  # raises why it could not be printed
        await stopping
        printing.cancel()
        logger.info("draining: running requests have %g s to finish", settings.shutdown_timeout_seconds)
    logger.info("stopped")


def _on_signal(number: int, stop: asyncio.Event) -> None:
    if stop.is_set():
        logger.warning("second signal: stopping at once")
        logging.shutdown()  # waits two seconds at most for who reads the log
        os._exit(128 + number)
    stop.set()
