"""Patterns of several owners: compiled in turn, one at a time, and those that take long hold up no others."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from support.replacing import replace_in

from nextchar.engine.automaton import Automaton
from nextchar.errors import InternalError, InvalidRequest, QueueFull
from nextchar.security.budgets import Allowance, Budget
from nextchar.security.principal import PRINCIPAL, Principal, Scope
from nextchar.service.inference import regex_compiler
from nextchar.service.inference.regex_compiler import NotQuick, RegexCompiler, build

_SYMBOLS = (b"a", b"b", b"")
_BOMB = "(a|b)*a(a|b){40}"


class Builds:
    """Stands for the processes: each pattern is built when a test lets it, in a thread."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, bool]] = []
        self.num_running = self.most_running = 0
        self._lock = threading.Lock()
        self.gate = threading.Event()
        self.fails: Exception | None = None

    def __call__(self, pattern: str, symbols: tuple[bytes, ...], *, quick: bool) -> Automaton:
        with self._lock:
            self.begun.append((pattern, quick))
            self.num_running += quick
            self.most_running = max(self.most_running, self.num_running)
        try:
            if pattern.startswith("slow"):
                if quick:
                    raise NotQuick
                assert self.gate.wait(30)
            elif pattern.startswith("gated"):
                assert self.gate.wait(30)
            elif pattern.startswith("wrong"):
                raise InvalidRequest("too large", param="regex", code="input_too_large")
            if self.fails is not None:
                raise self.fails
            return Automaton.of(np.zeros((1, len(symbols)), dtype=np.int32), [0])
        finally:
            with self._lock:
                self.num_running -= quick


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Builds]:
    made = Builds()
    monkeypatch.setattr(regex_compiler, "build", made)
    yield made
    made.gate.set()


@contextmanager
def of_owner(owner: str) -> Iterator[None]:
    principal = Principal(owner, owner, frozenset(Scope), Budget(Allowance()))
    token = PRINCIPAL.set(principal)
    try:
        yield
    finally:
        PRINCIPAL.reset(token)


def asked(compiler: RegexCompiler, pattern: str, owner: str = "") -> "asyncio.Task[Automaton]":
    with of_owner(owner):
        return asyncio.create_task(compiler.automaton(pattern, _SYMBOLS, 9))


def run(work: Callable[[RegexCompiler], Coroutine[None, None, None]]) -> None:
    async def made() -> None:
        await work(RegexCompiler())

    asyncio.run(made())


async def until(observed: Callable[[], bool]) -> None:
    while not observed():
        await asyncio.sleep(0)


def test_bombs_of_one_owner_leave_another_its_turn(builds: Builds) -> None:
    async def work(compiler: RegexCompiler) -> None:
        bombs = [asked(compiler, f"slow{number}", "bomber") for number in range(40)]
        results = await asyncio.gather(*(asked(compiler, f"plain{k}", "honest") for k in range(3)))
        assert len(results) == 3
        assert sum(pattern.startswith("slow") for pattern, quick in builds.begun if quick) <= 5
        builds.gate.set()
        await asyncio.gather(*bombs, return_exceptions=True)

    run(work)


def test_bombs_of_an_owner_leave_its_own_plain_patterns_a_way(builds: Builds) -> None:
    """On a server without keys, all clients behind one address are one owner."""

    async def work(compiler: RegexCompiler) -> None:
        bombs = [asked(compiler, f"slow{number}") for number in range(20)]
        assert isinstance(await asked(compiler, "plain"), Automaton)
        assert not builds.gate.is_set()  # no bomb has ended
        builds.gate.set()
        ended = await asyncio.gather(*bombs, return_exceptions=True)
        refused = [error for error in ended if isinstance(error, BaseException)]
        assert all(isinstance(error, QueueFull) for error in refused)
        assert 0 < len(refused) < 20

    run(work)


def test_who_waits_for_others_or_takes_long_is_told_so_and_nobody_else(builds: Builds) -> None:
    async def work(compiler: RegexCompiler) -> None:
        waits: list[str] = []

        def begin(pattern: str) -> "asyncio.Task[Automaton]":
            tell = partial(waits.append, pattern)
            return asyncio.create_task(compiler.automaton(pattern, _SYMBOLS, 9, tell))

        await begin("plain")
        with pytest.raises(InvalidRequest):
            await begin("wrong")
        assert waits == []
        first = begin("gated")
        await until(lambda: builds.begun[-1][0] == "gated")
        second = begin("behind")
        await until(lambda: waits == ["behind"])
        builds.gate.set()
        await asyncio.gather(first, second)
        builds.gate.clear()
        slow = begin("slow")
        await until(lambda: waits == ["behind", "slow"])
        joins = begin("slow")  # waits for what another request waits for
        await until(lambda: waits == ["behind", "slow", "slow"])
        builds.gate.set()
        await asyncio.gather(slow, joins)

    run(work)


def test_a_client_that_leaves_starts_no_second_process(builds: Builds) -> None:
    async def work(compiler: RegexCompiler) -> None:
        for number in range(4):
            task = asked(compiler, f"gated{number}")
            await until(lambda: builds.begun != [])
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert builds.begun == [("gated0", True)]  # the others had not begun when their clients left
        last = asked(compiler, "plain")
        builds.gate.set()
        await last
        assert [pattern for pattern, _ in builds.begun] == ["gated0", "plain"]
        assert builds.most_running == 1

    run(work)


def test_what_was_refused_is_refused_at_once_for_a_while(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(compiler: RegexCompiler) -> None:
        now = 100.0
        replace_in(monkeypatch, regex_compiler, "time", monotonic=lambda: now)
        for owner in ("a", "a", "b"):
            with pytest.raises(InvalidRequest, match="too large") as caught:
                await asked(compiler, "wrong", owner)
            assert (caught.value.code, caught.value.param) == ("input_too_large", "regex")
        assert len(builds.begun) == 1
        now += regex_compiler._REMEMBERED_SECONDS + 1
        with pytest.raises(InvalidRequest):
            await asked(compiler, "wrong")
        assert len(builds.begun) == 2

    run(work)


def test_a_pattern_that_the_clock_ended_may_be_tried_again(builds: Builds) -> None:
    """The machine may have been busy with something else."""

    async def work(compiler: RegexCompiler) -> None:
        builds.fails = regex_compiler._too_large(regex_compiler._OutOfTime)
        with pytest.raises(InvalidRequest, match="too large"):
            await asked(compiler, "plain")
        builds.fails = None
        await asked(compiler, "plain")

    run(work)


def test_who_has_no_room_is_told_when_it_has_and_no_other_owner_is(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regex_compiler, "_MAX_WAITING", 2)

    async def work(compiler: RegexCompiler) -> None:
        waiting = [asked(compiler, "gated", "a")]
        await until(lambda: len(builds.begun) == 1)
        waiting += [asked(compiler, f"plain{number}", "a") for number in range(2)]
        with pytest.raises(QueueFull, match="2 regex patterns of this owner") as caught:
            await asked(compiler, "plain", "a")
        assert caught.value.retry_after_seconds == 1.0  # a turn is short, and this the shortest advice
        other = asked(compiler, "plain", "b")
        builds.gate.set()
        await asyncio.gather(*waiting, other)

    run(work)


def test_a_process_that_fails_fails_its_request_and_not_the_queue(
    builds: Builds, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(compiler: RegexCompiler) -> None:
        builds.fails = AssertionError("a bug")
        with pytest.raises(InternalError):
            await asked(compiler, "plain")
        builds.fails = None
        await asked(compiler, "plain")
        assert "a bug" in caplog.text

    run(work)


def test_where_no_process_can_be_started_the_client_is_told_to_come_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> object:
        raise OSError(24, "Too many open files")

    replace_in(monkeypatch, regex_compiler, "subprocess", run=full)
    with pytest.raises(QueueFull, match="Too many open files"):
        build("a", _SYMBOLS)


def test_a_quick_try_of_a_plain_pattern_succeeds_and_of_a_bomb_does_not() -> None:
    assert len(build("[ab]+", _SYMBOLS, quick=True).next_states)
    with pytest.raises(NotQuick):
        build(_BOMB, _SYMBOLS, quick=True)
