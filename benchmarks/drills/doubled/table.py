"""Writes what the drill found as lines of text."""

from collections.abc import Iterator

from benchmarks.drills.doubled.drill import Findings
from benchmarks.drills.doubled.valkey import POLICIES

_COLUMNS = ("calls", "in doubt", "done", "not done")


def shown(found: Findings) -> Iterator[str]:
    """Yields a table of the calls by client, then what became of the sessions."""
    faults = ", ".join(f"{number} x {kind}" for kind, number in sorted(found.faults.items()))
    yield f"a store named by {found.naming}: {faults}"
    by_client: dict[str, dict[str, int]] = {}
    for name, number in found.counts.items():
        client, _, what = name.partition(" ")
        by_client.setdefault(client, {})[what] = number
    yield f"  {'client':<10}{''.join(f'{column:>10}' for column in _COLUMNS)}  errors by code"
    for client, counts in by_client.items():
        numbers = "".join(f"{counts.pop(column, 0):>10}" for column in _COLUMNS)
        codes = ", ".join(f"{code} {number}" for code, number in sorted(counts.items()))
        yield f"  {client:<10}{numbers}  {codes}"
    yield f"     {found.num_alive} sessions live and have read what was sent; {found.num_told} were told lost"
    for what, sessions in (
        ("doubled", found.doubled),
        ("lost untold", found.lost),
        ("with another text", found.other),
    ):
        named = f": {', '.join(sessions[:5])}" if sessions else ""
        yield f"{'MISS' if sessions else 'ok  '} {len(sessions)} {what}{named}"
    number = found.num_faults_of_servers
    yield f"{'MISS' if number else 'ok  '} {number} answers with server_error"
    policy, number = POLICIES[found.naming], len(found.mistold)
    verdict = "ok  " if not number else "MISS" if policy.startswith("volatile") else "    "
    yield f"{verdict} {number} evicted ({policy}) and said not to be found"
