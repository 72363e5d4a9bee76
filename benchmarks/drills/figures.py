"""Prints the figures of each drill; a line that begins with MISS misses its bar."""

import click

from benchmarks.drills.abuse import AbuseReport
from benchmarks.drills.calls import CallsReport, ResetReport
from benchmarks.drills.memory_limit import MemoryReport
from benchmarks.drills.overload import OverloadReport


def show_overload(load: OverloadReport, queue_timeout_seconds: float) -> bool:
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


def show_abuse(reports: list[AbuseReport]) -> bool:
    for r in reports:
        left = "not all released" if r.left_seconds is None else f"all released after {r.left_seconds:.1f} s"
        files = f"descriptors {r.files_before}, {r.files_at_most}, {r.files_after}"
        click.echo(f"{'ok  ' if r.good else 'MISS'} {r.num_clients} {r.what}: {files}; {left}")
    return not all(r.good for r in reports)


def show_calls(reports: list[CallsReport], resets: ResetReport) -> bool:
    for r in reports:
        statuses = ", ".join(f"{count} {name}" for name, count in sorted(r.by_status.items()))
        counted = f"{r.num_counted} counted, {r.num_without_advice} refused without advice"
        click.echo(f"{'ok  ' if r.good else 'MISS'} {r.num_calls} gRPC calls at once: {statuses}; {counted}")
    failed = ", ".join(f"{count} {name}" for name, count in resets.failed.items()) or "none"
    honest = f"{resets.num_honest} honest calls meanwhile, failed: {failed}"
    click.echo(f"{'ok  ' if resets.good else 'MISS'} {resets.num_reset} gRPC calls reset at once: {honest}")
    return not (resets.good and all(r.good for r in reports))


def show_memory(r: MemoryReport) -> bool:
    answers = ", ".join(f"{count} × {name}" for name, count in sorted(r.answers.items()))
    before, peak, after = (size / 2**20 for size in (r.before_bytes, r.peak_bytes, r.after_bytes))
    rows = [
        (f"one gibibyte, {r.seconds:.0f} s of the largest requests: {answers}", True),
        (f"alive, {r.num_kills} processes killed for memory", r.is_alive and not r.num_kills),
        (f"health: p99 {1000 * r.health_p99_seconds:.0f} ms of {len(r.health_seconds)}", r.has_health),
        (f"memory {before:.0f} MiB, at most {peak:.0f}, {after:.0f} afterwards", r.has_given_back),
    ]
    slowest = sorted(r.worst.items(), key=lambda entry: -entry[1])[:5]
    rows.append(("slowest: " + ", ".join(f"{name} {1000 * s:.0f} ms" for name, s in slowest), True))
    for text, good in rows:
        click.echo(f"{'ok  ' if good else 'MISS'} {text}")
    return not all(good for _, good in rows)
