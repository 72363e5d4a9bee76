"""Runs the drills (`make drills`): overload and abuse of a real server, floods of calls, with figures."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.drills.abuse import AbuseReport, abuse
from benchmarks.drills.calls import CallsReport, ResetReport, calls_at_once, honest_beside_resets
from benchmarks.drills.overload import OverloadReport, overload
from benchmarks.drills.process import served

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
@click.option("--only", type=click.Choice(["overload", "abuse", "calls"]), help="Run one drill only.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file for the figures.")
def main(
    models: Path,
    model: str,
    seconds: float,
    num_chars: int,
    num_lanes: int,
    queue_timeout_seconds: float,
    only: str | None,
    out: Path | None,
) -> None:
    """Runs the drills against a real server; exits with 1 if a bar is missed."""
    missed, figures = False, json.loads(out.read_text()) if out is not None and out.exists() else {}
    if only in (None, "overload"):
        lanes = ["--max-lanes", str(num_lanes), "--engine-threads", "1"]
        with served(models, *_QUIET, *lanes, "--queue-timeout-seconds", str(queue_timeout_seconds)) as server:
            load = overload(server, model, num_chars=num_chars, num_lanes=num_lanes, seconds=seconds)
        missed |= _show_overload(load, queue_timeout_seconds)
        figures["overload"] = asdict(load)
    if only in (None, "abuse"):
        with served(models, *_QUIET, *_BOUNDS) as server:
            clients = abuse(server, model, num_idle=2000, num_vanishing=500)
        missed |= _show_abuse(clients)
        figures["abuse"] = [asdict(report) for report in clients]
    if only in (None, "calls"):
        with served(models, *_QUIET) as server:
            reports = [
                calls_at_once(server, model, num_calls=count, num_processes=4) for count in (1100, 10_000)
            ]
            resets = honest_beside_resets(server, model, num_floods=2, seconds=seconds)
        missed |= _show_calls(reports, resets)
        figures["calls"] = [asdict(report) for report in (*reports, resets)]
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if missed else 0)


def _show_overload(load: OverloadReport, queue_timeout_seconds: float) -> bool:
    """Prints the figures; returns whether one misses its bar."""
    bound = queue_timeout_seconds + 20 * load.alone_seconds
    goodput, peak, ratios = load.goodput_per_second, load.peak_per_second, load.advised_over_true
    counts = f"accepted {load.num_accepted}, refused {load.num_refused}, other {load.num_other}"
    rows = [
        (f"goodput {goodput:.2f}/s, peak {peak:.2f}/s: {load.share_of_peak:.0%}", load.share_of_peak >= 0.9),
        (counts, not load.num_other),
        (f"refused without Retry-After: {load.num_without_retry_after}", not load.num_without_retry_after),
        (
            f"Retry-After within 2x of the true wait: {load.share_true:.1%} of {len(ratios)}",
            load.share_true >= 0.99,
        ),
        (f"accepted: p50 {load.p50_seconds:.2f} s, p99 {load.p99_seconds:.2f} s", load.p99_seconds <= bound),
    ]
    grown = (load.memory_after_bytes - load.memory_before_bytes) / 2**20
    rows.append((f"memory {load.memory_before_bytes / 2**20:.0f} MiB, {grown:+.1f} MiB after", grown < 20))
    for text, good in rows:
        click.echo(f"{'ok  ' if good else 'MISS'} {text}")
    return not all(good for _, good in rows)


def _show_abuse(reports: list[AbuseReport]) -> bool:
    for r in reports:
        left = "not all released" if r.left_seconds is None else f"all released after {r.left_seconds:.1f} s"
        files = f"descriptors {r.files_before}, {r.files_at_most}, {r.files_after}"
        click.echo(f"{'ok  ' if r.good else 'MISS'} {r.num_clients} {r.what}: {files}; {left}")
    return not all(r.good for r in reports)


def _show_calls(reports: list[CallsReport], resets: ResetReport) -> bool:
    for r in reports:
        statuses = ", ".join(f"{count} {name}" for name, count in sorted(r.by_status.items()))
        counted = f"{r.num_counted} counted, {r.num_without_advice} refused without advice"
        click.echo(f"{'ok  ' if r.good else 'MISS'} {r.num_calls} gRPC calls at once: {statuses}; {counted}")
    failed = ", ".join(f"{count} {name}" for name, count in resets.failed.items()) or "none"
    honest = f"{resets.num_honest} honest calls meanwhile, failed: {failed}"
    click.echo(f"{'ok  ' if resets.good else 'MISS'} {resets.num_reset} gRPC calls reset at once: {honest}")
    return not (resets.good and all(r.good for r in reports))


if __name__ == "__main__":
    main()
