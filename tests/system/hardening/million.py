"""A million short strings on one ScoreStream, by `nextchar score --file -`, and what both ends hold.

python -m hardening.million MODELS MODEL --strings 1000000
"""

import itertools
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
from support.server_process import server_process

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def strings(count: int) -> Iterator[str]:
    """Made-up words of 5 to 15 letters."""
    rng = random.Random(1)
    return ("".join(rng.choices(_LETTERS, k=rng.randint(5, 15))) for _ in range(count))


def peak_bytes(pid: int) -> int:
    """The most memory a process has held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


@click.command
@click.argument("models", type=click.Path(path_type=Path))
@click.argument("model")
@click.option("--strings", "count", default=1_000_000, show_default=True)
def main(models: Path, model: str, count: int) -> None:
    """Print memory at each tenth."""
    with server_process(models.resolve(), "--log-level", "error") as server:
        command = [sys.executable, "-c", "from nextchar.entrypoints.main import main; main()", "score", model]
        command += ["--url", f"grpc://{server.grpc_address}", "--file", "-"]
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
            assert asking.stdin is not None
            assert asking.stdout is not None
            feeding = threading.Thread(target=_feed, args=(asking.stdin, count))
            feeding.start()
            next(asking.stdout)
            click.echo("strings    server MiB  client MiB  (most so far)")
            for number in itertools.count(1):
                if not asking.stdout.readline():
                    break
                if number % (count // 10) == 0:
                    held = peak_bytes(server.pid) >> 20, peak_bytes(asking.pid) >> 20
                    click.echo(f"{number:9,d} {held[0]:11d} {held[1]:11d}")
            feeding.join()
        seconds = time.monotonic() - started
        click.echo(f"{number - 1:,d} answers in {seconds:.0f} s; exit {asking.returncode}")


def _feed(pipe: IO[str], count: int) -> None:
    with pipe as lines:
        rest = strings(count)
        while batch := list(itertools.islice(rest, 1000)):
            lines.write("\n".join(batch) + "\n")


if __name__ == "__main__":
    main()
