"""Runs the service of one model in a thread of this process, without a server."""

import asyncio
import atexit
import secrets
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from nextchar.engine.deliveries import deliver_on
from nextchar.engine.options import EngineOptions
from nextchar.errors import Unavailable
from nextchar.repository.folder import FoundModels, ModelPath, PrecisionChoice, find_model
from nextchar.repository.model import Model
from nextchar.repository.served_models import ServedModels
from nextchar.schemas.limits import Limits, SessionLimits
from nextchar.service.composition import build_service
from nextchar.service.service import Service
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.telemetry.metrics import Metrics

T = TypeVar("T")

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
    max_inspect_chars=_UNBOUNDED,
    max_inspect_values=_UNBOUNDED,
)
_TTL_SECONDS = 10 * 365 * 86_400.0  # a session lives for as long as the model is loaded
_SESSIONS = SessionLimits(
    max_sessions=_UNBOUNDED,
    max_state_bytes=_UNBOUNDED,
    max_checkpoints=_UNBOUNDED,
    ttl_seconds=_TTL_SECONDS,
)


_running: "WeakSet[Runtime]" = WeakSet()


@atexit.register
def _close_all() -> None:
    """Ends the threads before the interpreter takes away what they use."""
    for runtime in list(_running):
        runtime.close()


class Runtime:
    """An event loop in a thread of its own, with the service of one model.

    Its own loop, because a caller may have none, or one that is running, as a notebook has. Threads may share
    a runtime.
    """

    def __init__(self, path: Path, precision: PrecisionChoice, num_threads: int) -> None:
        """Opens the model and starts the thread.

        Raises:
            ModelFileError: the model cannot be opened.
        """
        self._found, self._num_threads = find_model(path, precision), num_threads
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._lock, self._is_open = threading.Lock(), True  # what is started is started before the loop ends
        opened: Future[tuple[Service, Model]] = Future()
        self._thread = threading.Thread(target=self._run, args=[opened], name="nextchar", daemon=True)
        try:
            self._thread.start()
            _running.add(self)
            self.service, self.model = opened.result()
        except BaseException:  # an interrupt may come while the thread still opens the model
            self.stop()
            with suppress(RuntimeError):  # it was not seen to start
                self._thread.join()
            raise

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine in the thread and returns its result; an interrupt of the caller ends it.

        Raises:
            Unavailable: the model is closed.
        """
        future = self.start(work)
        try:
            return self.result(future)
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Starts a coroutine in the thread.

        Raises:
            Unavailable: the model is closed.
        """
        with self._lock:
            if self._is_open:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise _closed()

    def result(self, future: "Future[T]") -> T:
        """Waits for what was started; raises `Unavailable` if the model was closed meanwhile."""
        try:
            return future.result()
        except CancelledError:
            raise _closed() from None

    def close(self) -> None:
        """Ends what runs, frees the model and waits for the thread."""
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Ends what runs and frees the model, without waiting: any thread may collect garbage."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                with suppress(RuntimeError):  # the loop has ended because the model cannot be opened
                    self._loop.call_soon_threadsafe(self._stopped.set)

    def _run(self, opened: "Future[tuple[Service, Model]]") -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(self._found, opened))

    async def _serve(self, found: ModelPath, opened: "Future[tuple[Service, Model]]") -> None:
        deliver = deliver_on(self._loop)
        try:
            with ServedModels(
                FoundModels(), _OPTIONS, num_threads=self._num_threads, deliver=deliver
            ) as models:
                model = models.open(found)
                models.add(model)
                opened.set_result((_service(models), model))
                await self._stopped.wait()
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)


def _closed() -> Unavailable:
    return Unavailable("the model is closed: load it again")


def _service(models: ServedModels) -> Service:
    return build_service(
        models,
        Metrics(),
        _LIMITS,
        store=MemoryStore(),
        state_key=secrets.token_bytes(32),
        session_limits=_SESSIONS,
    )
