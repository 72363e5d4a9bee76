"""Runs the drills (`make drills`) against real servers: what strangers, floods, stores and sizes do."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.drills.abuse import abuse
from benchmarks.drills.calls import calls_at_once, honest_beside_resets
from benchmarks.drills.doubled.drill import Findings, doubled, programs
from benchmarks.drills.doubled.table import shown
from benchmarks.drills.doubled.valkey import NAMINGS
from benchmarks.drills.figures import show_abuse, show_calls, show_memory, show_overload
from benchmarks.drills.memory_limit import memory_limit
from benchmarks.drills.overload import overload
from benchmarks.drills.process import served

_DRILLS = ["overload", "abuse", "calls", "doubled", "memory"]
_QUIET = ["--log-level", "warning"]
# Two thousand connections are opened one after the other, before the server closes the first.
_BOUNDS = ["--receive-timeout-seconds", "30", "--send-timeout-seconds", "10"]


@click.command
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Models folder.",
)
@click.option("--model", default="shakespeare", show_default=True, help="Model to send requests for.")
@click.option("--seconds", default=20.0, show_default=True, help="Seconds of each load.")
@click.option("--chars", "num_chars", default=4000, show_default=True, help="Characters of a completion.")
@click.option("--lanes", "num_lanes", default=16, show_default=True, help="Rows of the server.")
@click.option(
    "--queue-timeout-seconds", default=4.0, show_default=True, help="Longest wait in the server's queue."
)
@click.option("--only", type=click.Choice(_DRILLS), help="Run one drill only.")
@click.option("--seed", default=1, show_default=True, help="Seed of what happens, and when.")
@click.option("--store-seconds", default=300.0, show_default=True, help="Seconds for which the store breaks.")
@click.option("--memory-seconds", default=300.0, show_default=True, help="Seconds of the largest requests.")
@click.option("--sessions", "num_sessions", default=200, show_default=True, help="Sessions that are fed.")
@click.option("--feeds", "num_feeds", default=10_000, show_default=True, help="Feeds of all sessions.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(
    models: Path,
    model: str,
    seconds: float,
    num_chars: int,
    num_lanes: int,
    queue_timeout_seconds: float,
    only: str | None,
    seed: int,
    store_seconds: float,
    memory_seconds: float,
    num_sessions: int,
    num_feeds: int,
    out: Path | None,
) -> None:
    """Runs the drills against real servers; exits with 1 if a bar is missed."""
    missed, figures = False, json.loads(out.read_text()) if out is not None and out.exists() else {}
    if only in (None, "overload"):
        lanes = ["--max-lanes", str(num_lanes), "--engine-threads", "1"]
        with served(models, *_QUIET, *lanes, "--queue-timeout-seconds", str(queue_timeout_seconds)) as server:
            load = overload(server, model, num_chars=num_chars, num_lanes=num_lanes, seconds=seconds)
        missed |= show_overload(load, queue_timeout_seconds)
        figures["overload"] = asdict(load)
    if only in (None, "abuse"):
        with served(models, *_QUIET, *_BOUNDS) as server:
            clients = abuse(server, model, num_idle=2000, num_vanishing=500)
        missed |= show_abuse(clients)
        figures["abuse"] = [asdict(report) for report in clients]
    if only in (None, "calls"):
        with served(models, *_QUIET) as server:
            reports = [
                calls_at_once(server, model, num_calls=count, num_processes=4) for count in (1100, 10_000)
            ]
            resets = honest_beside_resets(server, model, num_floods=2, seconds=seconds)
        missed |= show_calls(reports, resets)
        figures["calls"] = [asdict(report) for report in (*reports, resets)]
    if only in (None, "doubled"):
        found = _broken_store(models, model, seed, store_seconds, num_sessions, num_feeds)
        missed |= not all(one.good for one in found)
        figures["doubled"] = [asdict(one) for one in found]
    if only in (None, "memory"):
        lived = memory_limit(models, model, seconds=memory_seconds, seed=seed, arguments=_QUIET)
        missed |= show_memory(lived)
        figures["memory"] = lived.figures
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if missed else 0)


def _broken_store(
    models: Path, model: str, seed: int, seconds: float, num_sessions: int, num_feeds: int
) -> list[Findings]:
    """Feeds half of the sessions over a store behind an address, and half over one that a sentinel names."""
    found = []
    for naming in NAMINGS:
        one = doubled(
            models,
            model,
            naming,
            seed=seed,
            seconds=seconds / len(NAMINGS),
            num_sessions=num_sessions // len(NAMINGS),
            num_feeds=num_feeds // num_sessions,
            programs=programs(),
        )
        for line in shown(one):
            click.echo(line)
        found.append(one)
    return found


if __name__ == "__main__":
    main()
