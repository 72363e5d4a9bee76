"""Runs `make test` many times beside a process that keeps one core busy.

It stops at the first failure: what fails once in twenty runs on a busy machine is a fault of the test or the
code, to be mended.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@contextmanager
def _one_core_busy() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as burner:
        try:
            yield
        finally:
            burner.kill()


def main(count: int) -> int:
    """Returns the exit status of the first run that fails, or 0."""
    for number in range(1, count + 1):
        started = time.monotonic()
        with _one_core_busy():
            status = subprocess.run(["make", "test"], cwd=_ROOT, check=False).returncode
        print(f"run {number} of {count}: {time.monotonic() - started:.0f} s, status {status}", flush=True)
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
