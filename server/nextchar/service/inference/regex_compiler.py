"""Compiles a regex into an automaton over a model's characters, within limits of size and time."""

import asyncio
import json
import logging
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np

from nextchar.engine.automaton import START, Automaton
from nextchar.errors import SOONEST_SECONDS, InternalError, InvalidRequest, QueueFull
from nextchar.security.principal import sharer
from nextchar.service.inference.regex_worker import MAX_CPU_SECONDS, MAX_STATES, SYNTAX, TOO_LARGE
from nextchar.service.inference.turn_queue import TurnQueue

MAX_PATTERN_CHARS = 4096
MAX_CACHED = 32  # automata
_MAX_WAITING = 32  # patterns of one owner
_MAX_SLOW_WAITING = 8  # of them, those that were found to take long
_QUICK_CPU_SECONDS = 0.3  # most patterns take a third of it, most of which is the start of the process
_MAX_SECONDS = 10.0  # wall clock; the worker may use two seconds of a processor, which others may use too
_RETRY_SECONDS = 5.0  # where the machine has no descriptor or no memory for one more process
_MAX_REMEMBERED, _REMEMBERED_SECONDS = 128, 300.0  # patterns that were refused
_FAILED = "the server failed; the cause is in its log"
_SYNTAX = (
    "regex is not a valid pattern: the syntax is that of Rust's regex crate, without look-around, "
    "back-references, word boundaries, or anchors inside the pattern"
)

logger = logging.getLogger(__name__)
Symbols = tuple[bytes, ...]
Key = tuple[str, Symbols]
T = TypeVar("T")


class NotQuick(Exception):
    """A pattern takes longer than a quick try."""


class _OutOfTime(InvalidRequest):
    """A pattern was given up by the clock, on a machine that may have been busy with other things."""


@dataclass(eq=False, slots=True)
class _Job:
    """A pattern that requests of one owner wait for."""

    owner: str
    key: Key
    compiled: asyncio.Future[Automaton]
    num_requests: int = 0
    on_wait: list[Callable[[], None]] = field(default_factory=list)  # called if it takes long


class RegexCompiler:
    """Compiles patterns for their owners in turn, and keeps the automata used last and what was refused.

    A pattern is first given a quick try, which most need no more than. One that takes longer waits for a
    second queue, so that patterns that are made to take long hold up each other and nobody else. Each queue
    runs one process at a time.
    """

    def __init__(self) -> None:
        self._cached: OrderedDict[Key, Automaton] = OrderedDict()
        self._refused: OrderedDict[Key, tuple[InvalidRequest, float]] = OrderedDict()
        self._jobs: dict[tuple[str, Key], _Job] = {}
        self._quick = TurnQueue(
            partial(self._run, quick=True), max_jobs=_MAX_WAITING, first_seconds=_QUICK_CPU_SECONDS
        )
        self._slow = TurnQueue(
            partial(self._run, quick=False), max_jobs=_MAX_SLOW_WAITING, first_seconds=float(MAX_CPU_SECONDS)
        )

    async def automaton(
        self, pattern: str, symbols: Symbols, max_chars: int, on_wait: Callable[[], None] = lambda: None
    ) -> Automaton:
        """Returns the automaton of texts that match `pattern` as a whole, for `symbols` as UTF-8 by id.

        A symbol without bytes is not part of any text. Calls `on_wait` if it has to wait for other patterns,
        or is not quick.

        Raises:
            InvalidRequest: the pattern is invalid or too large, or matches no text of at most `max_chars`.
            QueueFull: too many patterns of the principal wait to be compiled, or no process can be started.
        """
        key = (_without_anchors(pattern), symbols)
        automaton = self._known(key)
        if automaton is None:
            automaton = await self._compiled(key, sharer(), on_wait)
        _check_length(automaton, max_chars)
        return automaton

    def _known(self, key: Key) -> Automaton | None:
        """Returns an automaton that is kept; raises as a pattern was refused a while ago."""
        automaton = self._cached.get(key)
        if automaton is not None:
            self._cached.move_to_end(key)
            return automaton
        error, until = self._refused.get(key, (None, 0.0))
        if error is not None and time.monotonic() < until:
            raise type(error)(error.message, param=error.param, code=error.code)
        return None

    async def _compiled(self, key: Key, owner: str, on_wait: Callable[[], None]) -> Automaton:
        is_behind, waiting = self._quick.is_busy, self._jobs.get((owner, key))
        job = waiting or self._queued(key, owner)
        if is_behind or waiting:
            on_wait()
        job.num_requests += 1
        job.on_wait.append(on_wait)
        try:
            return await asyncio.shield(job.compiled)
        finally:
            job.num_requests -= 1
            if not job.num_requests and (self._quick.remove(owner, job) or self._slow.remove(owner, job)):
                del self._jobs[owner, key]  # all who waited for it have left

    def _queued(self, key: Key, owner: str) -> _Job:
        if not self._quick.has_room(owner):
            raise _queue_full(_MAX_WAITING, self._quick)
        job = _Job(owner, key, asyncio.get_running_loop().create_future())
        self._jobs[owner, key] = job
        self._quick.add(owner, job)
        return job

    async def _run(self, job: _Job, *, quick: bool) -> None:
        """Compiles a pattern; passes one that is not quick on to the other queue."""
        try:
            automaton = self._known(job.key)  # for another owner, while this one waited
            if automaton is None:
                automaton = await asyncio.to_thread(build, *job.key, quick=quick)
                _keep(self._cached, job.key, automaton, MAX_CACHED)
        except NotQuick:
            if not job.num_requests:
                self._end(job, None)
            elif self._slow.has_room(job.owner):
                self._slow.add(job.owner, job)
                for on_wait in job.on_wait:
                    on_wait()
            else:
                self._end(job, _queue_full(_MAX_SLOW_WAITING, self._slow))
        except InvalidRequest as error:
            if not isinstance(error, _OutOfTime):
                until = time.monotonic() + _REMEMBERED_SECONDS
                _keep(self._refused, job.key, (error, until), _MAX_REMEMBERED)
            self._end(job, error)
        except QueueFull as error:
            self._end(job, error)
        except Exception:  # of the process: its requests fail, and the queue goes on
            logger.exception("a pattern could not be compiled")
            self._end(job, InternalError(_FAILED))
        else:
            self._end(job, automaton)

    def _end(self, job: _Job, result: Automaton | Exception | None) -> None:
        del self._jobs[job.owner, job.key]
        if not job.num_requests:
            job.compiled.cancel()
        elif isinstance(result, Automaton):
            job.compiled.set_result(result)
        elif result is not None:
            job.compiled.set_exception(result)


def _keep(kept: "OrderedDict[Key, T]", key: Key, value: T, limit: int) -> None:
    """Keeps a value as the latest; forgets the oldest beyond the limit."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)


def _queue_full(limit: int, queue: TurnQueue[_Job]) -> QueueFull:
    return QueueFull(
        f"{limit} regex patterns of this owner are already waiting to be compiled; retry later",
        retry_after_seconds=max(SOONEST_SECONDS, queue.seconds_to_room()),
    )


def build(pattern: str, symbols: Symbols, *, quick: bool = False) -> Automaton:
    """Builds an automaton in a process of its own.

    Raises:
        InvalidRequest: as `RegexCompiler.automaton`.
        NotQuick: it takes longer than a quick try.
    """
    given = json.dumps(
        {
            "pattern": pattern,
            "symbols": [symbol.hex() for symbol in symbols],
            "cpu_seconds": _QUICK_CPU_SECONDS if quick else None,
        }
    )
    command = [sys.executable, "-P", "-m", "nextchar.service.inference.regex_worker"]
    try:
        done = subprocess.run(
            command, input=given.encode(), capture_output=True, timeout=_MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _too_large(_OutOfTime) from None
    except OSError as error:
        why = f"a regex pattern cannot be compiled now: {error.strerror}"
        raise QueueFull(why, retry_after_seconds=_RETRY_SECONDS) from error
    if done.returncode == -signal.SIGPROF:
        raise NotQuick
    if done.returncode == SYNTAX:
        raise InvalidRequest(_SYNTAX, param="regex")
    if done.returncode == TOO_LARGE or done.returncode < 0:  # killed for its memory or time
        raise _too_large()
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    numbers = np.frombuffer(done.stdout, dtype=np.int32)
    num_states, num_accepting = numbers[:2].tolist()
    accepting, rows = numbers[2 : 2 + num_accepting], numbers[2 + num_accepting :]
    return Automaton.of(rows.reshape(num_states, len(symbols)), accepting.tolist())


def _without_anchors(pattern: str) -> str:
    """Removes `^` before a pattern and `$` after it: a pattern is for the whole text anyway."""
    pattern = pattern.removeprefix("^")
    body = pattern.removesuffix("$")
    escaped = (len(body) - len(body.rstrip("\\"))) % 2
    return pattern if escaped else body


def _check_length(automaton: Automaton, max_chars: int) -> None:
    shortest = int(automaton.distance[START])
    if shortest > max_chars:
        least = f"the shortest text that regex matches has {shortest} characters, max_tokens is {max_chars}"
        never = "regex matches no text of the characters that may be drawn"
        possible = shortest < len(automaton.next_states)
        raise InvalidRequest(least if possible else never, param="regex")
    if max_chars and automaton.over(np.array([START]), np.array([max_chars]))[0]:
        raise InvalidRequest(
            f"regex matches only the empty text within max_tokens, {max_chars}: raise max_tokens",
            param="regex",
        )


def _too_large(kind: type[InvalidRequest] = InvalidRequest) -> InvalidRequest:
    return kind(
        f"regex is too large: the limits are {MAX_STATES} states and {MAX_CPU_SECONDS} seconds to compile it",
        param="regex",
        code="input_too_large",
    )
