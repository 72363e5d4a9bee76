"""Sessions expire by the clock of the store, however wrong the clocks of its servers are."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry
from support.replacing import replace_in

from nextchar.errors import Unavailable
from nextchar.service.sessions import store_clock
from nextchar.service.sessions.store_clock import StoreClock
from nextchar.service.sessions.stores.instrumented import InstrumentedStore
from nextchar.service.sessions.stores.memory import MemoryStore
from nextchar.telemetry.session_metrics import SessionMetrics


class _Watched(MemoryStore):
    """A store whose clock the test sets, and that may be down."""

    shown, is_down, num_looks = 5000.0, False, 0

    async def time(self) -> float:
        self.num_looks += 1
        if self.is_down:
            raise Unavailable("it is away")
        return self.shown


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> tuple[StoreClock, _Watched, dict[str, float], CollectorRegistry]:
    """The clock, its store, and the clocks of this machine: `machine` and `process`."""
    here = {"machine": 5000.0, "process": 10.0}
    replace_in(
        monkeypatch, store_clock, "time", time=lambda: here["machine"], monotonic=lambda: here["process"]
    )
    store, registry = _Watched(), CollectorRegistry()
    metrics = SessionMetrics(registry)
    return StoreClock(InstrumentedStore(store, metrics), metrics), store, here, registry


Made = tuple[StoreClock, _Watched, dict[str, float], CollectorRegistry]


def test_the_time_is_the_stores_and_goes_on_without_a_look(made: Made) -> None:
    clock, store, here, _ = made
    here["machine"] = 1.0

    async def work() -> None:
        assert await clock.now() == 5000
        here["process"] += 59
        here["machine"] += 10**6
        assert await clock.now() == 5059
        assert store.num_looks == 1
        here["process"] += 2
        store.shown = 9000.0
        assert await clock.now() == 9000
        assert store.num_looks == 2

    asyncio.run(work())


def test_a_store_that_does_not_say_is_unavailable_unless_it_said_lately(made: Made) -> None:
    clock, store, here, _ = made

    async def work() -> None:
        store.is_down = True
        with pytest.raises(Unavailable):
            await clock.now()
        store.is_down = False
        await clock.now()
        store.is_down = True
        assert await clock.now() == 5000
        here["process"] += 61
        with pytest.raises(Unavailable):
            await clock.now()

    asyncio.run(work())


def test_a_machine_whose_clock_differs_is_told_once_and_measured(
    made: Made, caplog: pytest.LogCaptureFixture
) -> None:
    clock, _, here, registry = made
    name = "nextchar_session_store_clock_skew_seconds"

    async def look(machine: float) -> float | None:
        here["machine"] = machine
        await clock.look()
        return registry.get_sample_value(name)

    async def work() -> None:
        assert await look(5004.9) == pytest.approx(4.9)
        assert not caplog.messages
        for _ in range(2):
            assert await look(8600.0) == pytest.approx(3600)
        assert await look(5000.0) == 0
        assert await look(1400.0) == pytest.approx(-3600)

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    expected = "this machine's clock is 3600 s {} that of the session store; sessions expire by the store's"
    assert caplog.messages == [expected.format("ahead of"), expected.format("behind")]
