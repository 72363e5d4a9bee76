"""Sorts the tests into three tiers by their folders, and holds the tests of the quick one to its rules.

`quick` tests start no process and open no socket. `standard` tests may do both, with programs of this
project and those that Python packages bring. `long` tests drive programs of other people (`.tools/`,
Debian's), drill a server for many seconds, trace its memory, or measure shipped weights again.
"""

import socket
import sys
from pathlib import PurePosixPath
from typing import Any

QUICK, STANDARD, LONG = "quick", "standard", "long"

# The row of the innermost folder decides.
TIER_OF_FOLDER = {
    "batch": STANDARD,
    "client": STANDARD,
    "docs": STANDARD,
    "engine": QUICK,
    "entrypoints": STANDARD,
    "model": QUICK,
    "models": STANDARD,
    "models/figures": LONG,
    "packaging": STANDARD,
    "repository": STANDARD,
    "rest": STANDARD,
    "rpc": STANDARD,
    "schemas": QUICK,
    "security": STANDARD,
    "service": STANDARD,
    "service/weight": LONG,
    "system": LONG,
    "telemetry": STANDARD,
    "training": QUICK,
    "training/commands": STANDARD,
    "training/export": STANDARD,
    "training/foreign": STANDARD,
    "training/inside": STANDARD,
    "training/keras": LONG,
    "training/processes": LONG,
    "training/quality": LONG,
    "training/run": STANDARD,
}

_CHOSEN = {"quick": (QUICK,), "quick or standard": (QUICK, STANDARD)}
_PROCESSES = {
    "subprocess.Popen",
    "os.fork",
    "os.forkpty",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
}
_SOCKETS = {"socket.bind", "socket.connect", "socket.sendto"}

_current: str | None = None
_trespasses: list[str] = []


def tier_of(path: PurePosixPath) -> str:
    """Returns the tier of a file, given relative to `tests/`; raises KeyError if its folder has none."""
    folders = [str(folder) for folder in path.parents]
    return TIER_OF_FOLDER[next((folder for folder in folders if folder in TIER_OF_FOLDER), folders[0])]


def may_be_chosen(path: PurePosixPath, marks: str) -> bool:
    """Returns whether a file may have tests that an expression chooses, of those in the Makefile."""
    return marks not in _CHOSEN or tier_of(path) in _CHOSEN[marks]


def begin(tier: str | None) -> None:
    """Notes the tier of the test that begins, or None after a test."""
    global _current
    _current = tier
    _trespasses.clear()


def trespasses() -> list[str]:
    """Returns what the running test did that its tier may not do: processes and sockets."""
    return list(_trespasses)


def check_program(name: str) -> None:
    """Checks that the running test may drive a program that the project does not install with itself."""
    assert _current in (None, LONG), f"{name} is for tests of the tier {LONG!r} (tests/suite/tiers.py)"


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _current == QUICK and (
        event in _PROCESSES or (event in _SOCKETS and arguments[0].family != socket.AF_UNIX)
    ):
        _trespasses.append(f"{event}{arguments[1:2]}")


sys.addaudithook(_audit)
