"""Makes something happen in the middle of a stream of a real server, after some of it has been sent."""

import asyncio
from collections.abc import Callable

import pytest
from support.live_server import LiveServer

from nextchar.model.step_runner import StepRunner

_NUM_CALLS = 60
_NUM_TURNS = 10  # of the event loop: a delivery wakes a task, which wakes the next
_SECONDS = 30


def midway(monkeypatch: pytest.MonkeyPatch, server: LiveServer, happens: Callable[[], None]) -> None:
    """Calls `happens` once, on the engine's thread, before one of its calls of the graph.

    Until then each call waits until the event loop has sent what the calls before it delivered.
    """
    step, num_left = StepRunner.step, _NUM_CALLS

    def counted(runner: StepRunner, n: int, num_steps: int = 1, **how: bool) -> None:
        nonlocal num_left
        num_left -= 1
        if num_left >= 0:
            _send_what_is_delivered(server)
        if num_left == 0:
            happens()
        step(runner, n, num_steps, **how)

    monkeypatch.setattr(StepRunner, "step", counted)


def _send_what_is_delivered(server: LiveServer) -> None:
    for _ in range(_NUM_TURNS):
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), server.loop).result(_SECONDS)


def fails() -> None:
    """Fails, for reasons that no client may see."""
    raise RuntimeError("secret cause")
