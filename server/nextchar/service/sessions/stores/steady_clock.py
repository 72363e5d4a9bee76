"""A clock of this machine that does not jump when somebody sets the machine's clock.

It starts from the machine's clock and goes on with the time since boot. A time to live is a duration: a
session must not expire early, and not live on, because the machine's clock was an hour wrong and is put
right.
"""

import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on all clocks: the steady one and the machine's in Unix seconds, and seconds since a boot.

    `boot` names the boot; empty where the system gives it no name.
    """

    steady: float
    machine: float
    since_boot: float
    boot: str


class SteadyClock:
    """Shows Unix seconds; goes on from a moment that was kept, through restarts and reboots."""

    def __init__(self, kept: Moment | None = None) -> None:
        self._boot, self._since_boot = boot_id(), seconds_since_boot()
        self._steady = self._machine = time.time()
        if kept is not None:
            self._steady = kept.steady + self._seconds_since(kept)

    def now(self) -> float:
        """Returns what the clock shows; it never goes back."""
        return self._steady + (seconds_since_boot() - self._since_boot)

    def moment(self) -> Moment:
        """Returns this moment, to be kept for the next process."""
        since_boot = seconds_since_boot()
        return Moment(self._steady + since_boot - self._since_boot, time.time(), since_boot, self._boot)

    def _seconds_since(self, kept: Moment) -> float:
        """Returns how long ago a moment was: exactly in the same boot, else as the machine's clock has it."""
        if kept.boot and kept.boot == self._boot:
            return max(0.0, self._since_boot - kept.since_boot)
        return max(0.0, self._machine - kept.machine)


def seconds_since_boot() -> float:
    """Returns the seconds since the machine started, those that it slept included where that is known."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def boot_id() -> str:
    """Returns the name of this boot of the machine; empty where it has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
