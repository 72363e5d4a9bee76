"""Measures training with two ways of waiting threads, alone and beside one busy process.

Spinning is as GNU's libgomp does by itself; bounded is as `nextchar train` has it. Each has a process of its
own, since the library reads its environment when it is loaded. They take turns, with the busy process stopped
and going on, so that what else the machine does disturbs all four rates alike.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nextchar.entrypoints.machine import SPIN_COUNT

_STEPS = 3
_WAYS = {"spinning": None, f"bounded to {SPIN_COUNT}": str(SPIN_COUNT), "no spinning": "0"}
_READ_AT_START = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")


def measure(*, rounds: int) -> dict[str, dict[str, float]]:
    """Returns characters per second alone and beside a busy process, by way of waiting: medians of rounds."""
    with ExitStack() as stack:
        contenders = {name: stack.enter_context(_trainer(count)) for name, count in _WAYS.items()}
        busy = stack.enter_context(_process([sys.executable, "-c", "while True: pass"], dict(os.environ)))
        seen: dict[str, dict[str, list[float]]] = {"alone": {}, "beside": {}}
        for turn in range(rounds + 1):
            for condition, rates in seen.items():
                busy.send_signal(signal.SIGSTOP if condition == "alone" else signal.SIGCONT)
                for name, contender in contenders.items():
                    rate = _timed(contender)
                    if turn:  # the first warms up
                        rates.setdefault(name, []).append(rate)
    return {c: {name: statistics.median(found) for name, found in rates.items()} for c, rates in seen.items()}


@contextmanager
def _trainer(spin_count: str | None) -> Iterator[subprocess.Popen[str]]:
    """Starts a process that times as many steps as a line of its input says."""
    environment = {name: value for name, value in os.environ.items() if name not in _READ_AT_START}
    if spin_count is not None:
        environment["GOMP_SPINCOUNT"] = spin_count
    with _process([sys.executable, "-m", "benchmarks.training.threads"], environment) as process:
        yield process


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _timed(contender: subprocess.Popen[str]) -> float:
    assert contender.stdin is not None
    assert contender.stdout is not None
    contender.stdin.write(f"{_STEPS}\n")
    contender.stdin.flush()
    return float(contender.stdout.readline())


def _serve() -> None:
    import torch

    from benchmarks.training.speed import make_ours
    from nextchar_training.run.threads import usual_num_threads

    torch.set_num_threads(usual_num_threads())
    step = make_ours("float32")
    for line in sys.stdin:
        started = time.perf_counter()
        chars = sum(step() for _ in range(int(line)))
        print(chars / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    _serve()
