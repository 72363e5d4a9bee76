"""The clock by which sessions expire goes on as time does, whatever is done to the machine's."""

import random

import pytest
from support.replacing import replace_in

from nextchar.service.sessions.stores import steady_clock
from nextchar.service.sessions.stores.steady_clock import Moment, SteadyClock

_YEAR, _HOUR, _DAY = 365 * 86_400.0, 3600.0, 86_400.0
_START = 1.7e9


class _Machine:
    """A machine whose clock anybody may set; `true` is the time that has passed."""

    def __init__(self) -> None:
        self.true, self.error, self.booted, self.boot = 0.0, 0.0, -1000.0, 1

    def time(self) -> float:
        return _START + self.true + self.error

    def since_boot(self) -> float:
        return self.true - self.booted

    def reboot(self, seconds: float) -> None:
        self.true += seconds
        self.booted, self.boot = self.true, self.boot + 1


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> _Machine:
    machine = _Machine()
    replace_in(monkeypatch, steady_clock, "time", time=machine.time)
    monkeypatch.setattr(steady_clock, "seconds_since_boot", machine.since_boot)
    monkeypatch.setattr(steady_clock, "boot_id", lambda: str(machine.boot))
    return machine


def test_a_year_of_steps_loses_no_live_session_and_serves_no_dead_one(machine: _Machine) -> None:
    """The clock is set wrong by hours and days; the server and the machine are restarted."""
    draw = random.Random(24)
    clock, kept = SteadyClock(), None
    last_used = {k: (machine.true, clock.now()) for k in range(50)}
    ttl = {k: draw.choice([60.0, _HOUR, 7 * _DAY]) for k in last_used}
    num_steps = num_live = num_dead = 0
    while machine.true < _YEAR:
        machine.true += draw.expovariate(1 / _HOUR)
        kept = clock.moment()
        match draw.choice(["step", "step", "restart", "reboot", "nothing"]):
            case "step":
                machine.error += draw.choice([-_DAY, -_HOUR, _HOUR, _DAY])
                num_steps += 1
            case "restart":
                machine.true += 30
                clock = SteadyClock(kept)
            case "reboot":
                machine.reboot(120)
                clock = SteadyClock(kept)
        for k, (used, by_clock) in last_used.items():
            is_live, is_served = machine.true - used < ttl[k], clock.now() < by_clock + ttl[k]
            assert is_live == is_served
            num_live, num_dead = num_live + is_live, num_dead + (not is_live)
            if not is_live or draw.random() < 0.1:
                last_used[k] = machine.true, clock.now()
    assert min(num_steps, num_live, num_dead) > 1000


def test_the_clock_starts_as_the_machines(machine: _Machine) -> None:
    clock = SteadyClock()
    assert clock.now() == machine.time()
    machine.true += 5
    assert clock.now() == _START + 5


def test_a_new_process_of_the_same_boot_goes_on_by_the_time_since_boot(machine: _Machine) -> None:
    kept = SteadyClock().moment()
    machine.true += 10
    machine.error += _DAY
    assert SteadyClock(kept).now() == _START + 10


def test_after_a_reboot_the_machines_clock_says_how_long_it_was_off(machine: _Machine) -> None:
    machine.error = _DAY  # it was wrong all the time
    kept = SteadyClock(Moment(_START, machine.time(), machine.since_boot(), "1")).moment()
    machine.reboot(100)
    assert SteadyClock(kept).now() == _START + 100
    machine.error -= 2 * _DAY  # it was set back while the machine was off
    assert SteadyClock(kept).now() == _START


def test_without_a_name_of_the_boot_the_machines_clock_is_believed(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady_clock, "boot_id", lambda: "")
    kept = SteadyClock().moment()
    machine.true += 7
    machine.booted += 5
    assert SteadyClock(kept).now() == _START + 7


def test_the_real_clocks_are_there() -> None:
    before = steady_clock.seconds_since_boot()
    assert before > 0
    assert steady_clock.seconds_since_boot() >= before
    assert steady_clock.boot_id() == steady_clock.boot_id()
