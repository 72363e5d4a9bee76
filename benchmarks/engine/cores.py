"""Measures what the default number of engine threads does, beside numbers set by hand and under a CPU limit.

    python -m benchmarks.engine.cores --rounds 5
    python -m benchmarks.engine.cores --limit 1        # on Linux, as root

Servers take turns in every round. Each is asked for completions of 200 characters by 1, 16, 64 and 128
clients, and then for next characters by one client: alone, and while bulk scoring of lines or names fills its
rows. With a limit, the server has it as a container has, and is measured with and without engines that rest
for it.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.clients.http import run_load
from benchmarks.clients.requests import completions
from benchmarks.data import write_data
from benchmarks.engine.measure import positive
from benchmarks.engine.network import make_network
from benchmarks.latency import PORT, next_beside
from benchmarks.servers import our_server, server_of

_NUM_CHARS = 200
_CLIENTS = (1, 16, 64, 128)
_PERIOD_MICROSECONDS = 100_000
_CPU = Path("/sys/fs/cgroup/cpu")
_UNAWARE = "import nextchar.entrypoints.settings_options as options; options.cpu_limit = lambda: None"
_MAIN = "from nextchar.entrypoints.main import main; main(prog_name='nextchar')"
# A mount of its own shows the server its limit where a container would see it.
_ENTER = 'mount --bind "$0" /sys/fs/cgroup/cpu && echo $$ > /sys/fs/cgroup/cpu/cgroup.procs && exec "$@"'

Rates = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.cores", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="number of rounds; their median counts")
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    parser.add_argument("--limit", type=float, help="a CPU limit in cores, as of a container")
    arguments = parser.parse_args()
    models = write_data(make_network(512, 2), Path(".data/benchmark")) / "models"
    seen: dict[str, list[Rates]] = {}
    for _ in range(arguments.rounds):
        for name in _names(arguments.limit):
            with _server(name, models, arguments.limit):
                seen.setdefault(name, []).append(_measure(arguments.seconds))
            print(name, {key: round(value, 2) for key, value in seen[name][-1].items()}, flush=True)
    _print_medians(seen)


def _names(limit: float | None) -> tuple[str, ...]:
    return ("default", "engine_threads=1", "engine_threads=3") if limit is None else ("default", "unaware")


@contextmanager
def _server(name: str, models: Path, limit: float | None) -> Iterator[None]:
    if limit is None:
        _, _, number = name.partition("=")
        settings: dict[str, int] = {"engine_threads": int(number)} if number else {}
        with our_server(models, PORT, **settings):
            yield
        return
    code = f"{_UNAWARE}; {_MAIN}" if name == "unaware" else _MAIN
    with _cpu_cgroup(limit) as folder:
        enter = ["unshare", "-m", "sh", "-c", _ENTER, str(folder)]
        with server_of([*enter, sys.executable, "-c", code], models, PORT):
            yield


@contextmanager
def _cpu_cgroup(limit: float) -> Iterator[Path]:
    """Makes a cgroup (version 1) with a CPU limit, and removes it once its processes have ended."""
    folder = _CPU / f"nextchar-cores-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
        (folder / "cpu.cfs_quota_us").write_text(str(int(limit * _PERIOD_MICROSECONDS)))
        yield folder
    finally:
        folder.rmdir()


def _measure(seconds: float) -> Rates:
    found = {f"completions, {n} clients: characters/s": _completions(n, seconds) for n in _CLIENTS}
    for situation, times in next_beside(seconds).items():
        for level in (50, 99):
            found[f"next {situation}: p{level} ms"] = float(np.percentile(times, level)) * 1000
    return found


def _completions(num_clients: int, seconds: float) -> float:
    clients = completions(PORT, _NUM_CHARS, stream=False)
    rate, _ = run_load(clients, port=PORT, num_clients=num_clients, warm=2.0, seconds=seconds)
    return rate * _NUM_CHARS


def _print_medians(seen: dict[str, list[Rates]]) -> None:
    names = list(seen)
    print(f"\n{'medians':44}" + "".join(f"{name:>20}" for name in names))
    for key in seen[names[0]][0]:
        medians = [statistics.median(rates[key] for rates in seen[name]) for name in names]
        print(f"{key:44}" + "".join(f"{value:20,.2f}" for value in medians))


if __name__ == "__main__":
    main()
