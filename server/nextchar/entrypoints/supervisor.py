"""Runs the server's background tasks; one that fails is logged, counted and makes the server unready."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Self

from prometheus_client import CollectorRegistry

from nextchar.telemetry.metric_registry import counter
from nextchar.telemetry.metric_table import TASKS

logger = logging.getLogger(__name__)


class Supervisor:
    """Owns the background tasks of one server; leaving the context cancels those it has started.

    A failed task is not started again: its state is unknown, and an unready server is replaced.
    """

    def __init__(self, registry: CollectorRegistry, on_failure: Callable[[str], object]) -> None:
        """Calls `on_failure` with a sentence that names the task when one fails."""
        self._on_failure = on_failure
        self._failures = counter("nextchar_background_task_failures_total", registry)
        for name in TASKS:  # so that the series is 0 before the first failure, not absent
            self._failures.labels(name)
        self._started: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._started:
            task.cancel()
        if self._started:
            await asyncio.wait(self._started)

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs work until it ends or the context does."""
        task = asyncio.create_task(work, name=name)
        self._started.append(task)
        self.watch(name, task)

    def watch(self, name: str, task: asyncio.Task[None]) -> None:
        """Reports the failure of a task that its owner starts and ends."""
        assert name in TASKS, name
        task.add_done_callback(partial(self._report, name))

    def _report(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._failures.labels(name).inc()
        logger.error("background task %s failed; the server is unready until restarted", name, exc_info=error)
        self._on_failure(f"background task {name} failed; restart the server (its log has the cause)")
