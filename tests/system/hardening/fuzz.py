"""Every target under atheris, then raw bytes to a running server.

    python -m hardening.fuzz --runs 1500000      # make fuzz

Each target has a share of the runs, a limit of 10 s for one input and of 1 GiB for all; what atheris finds is
kept in .data/fuzz and replayed by `python -m hardening.atheris_run TARGET FILE`.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from hardening.fuzz_seeds import write_seeds
from hardening.fuzz_servers import knock
from support.tools import tool_python

_ROOT = Path(__file__).parents[3]
# Parts of the runs, by how many a second are tried.
SHARES = {
    **{"model_card": 10, "model_file": 8, "card_text": 10, "judge_text": 4, "state": 10},
    **{"body": 18, "message": 18, "infer_message": 11, "infer_body": 11},
}
_MAX_BYTES = {"model_card": 8192, "model_file": 8192, "judge_text": 32768}


def run_target(name: str, runs: int, corpus: Path, found: Path) -> tuple[int, int, int, str]:
    """A target so often: runs done, MiB after the seeds, MiB at the end, what was printed.

    Raises:
        CalledProcessError: it found something; the output says what.
    """
    found.mkdir(parents=True, exist_ok=True)
    packages = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    paths = [_ROOT / "tests", _ROOT / "tests/system", _ROOT / "server", packages]
    limits = [f"-atheris_runs={runs}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]
    limits += [
        f"-max_len={_MAX_BYTES.get(name, 1024)}",
        f"-artifact_prefix={found}/",
        "-seed=1",
        "-verbosity=1",
    ]
    done = subprocess.run(
        [tool_python("atheris"), "-m", "hardening.atheris_run", name, *limits, corpus],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    printed = done.stdout + done.stderr
    memory = [int(value) for value in re.findall(r"rss: (\d+)Mb", printed)]
    executed = [int(value) for value in re.findall(r"Done (\d+) (?:in|runs)", printed)]
    # libFuzzer's timer may strike once more while the interpreter ends; what takes too long exits with 70.
    if done.returncode not in (0, -signal.SIGALRM) or not executed or not memory:
        raise subprocess.CalledProcessError(done.returncode, f"fuzz {name}", printed[-4000:])
    return max(executed), memory[0], memory[-1], printed


@click.command
@click.option("--runs", default=1_500_000, show_default=True, help="Executions of all targets together.")
@click.option("--knocks", default=20_000, show_default=True, help="Inputs to a running server.")
def main(runs: int, knocks: int) -> None:
    """Fuzz everything and print a table."""
    found, total = _ROOT / ".data" / "fuzz", 0
    with tempfile.TemporaryDirectory() as folder:
        write_seeds(Path(folder) / "seeds")
        click.echo("target         executions  seconds  MiB at first  MiB at last")
        for name, share in SHARES.items():
            started = time.monotonic()
            wanted = runs * share // sum(SHARES.values())
            done, first, last, _ = run_target(name, wanted, Path(folder) / "seeds" / name, found)
            total += done
            click.echo(f"{name:14} {done:10,d} {time.monotonic() - started:8.0f} {first:13d} {last:12d}")
        started = time.monotonic()
        before, after = knock(Path(folder), knocks, seed=1)
        total += knocks
        seconds = time.monotonic() - started
        click.echo(f"{'a server':14} {knocks:10,d} {seconds:8.0f} {before >> 20:13d} {after >> 20:12d}")
    click.echo(f"{total:,d} executions, nothing found")


if __name__ == "__main__":
    main()
