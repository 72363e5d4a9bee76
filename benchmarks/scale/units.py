"""What a unit of work costs, as benchmarks/results has it; or the command that would measure it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
NOT_MEASURED = "not measured yet"


@dataclass(frozen=True, slots=True)
class Figure:
    """Names a figure, its unit, and its place in the results: a part of `python -m benchmarks` and keys.

    `before` are its keys in files from before every core had an engine by default; they are looked for first.
    """

    name: str
    what: str
    unit: str
    part: str
    keys: tuple[str, ...]
    before: tuple[str, ...] = ()
    is_by_core: bool = False


FIGURES = (
    Figure(
        "chars_per_core",
        "completions of 64 clients over HTTP, all cores",
        "characters a second and core",
        "peers",
        ("nextchar", "64"),
        before=("nextchar, all cores", "64"),
        is_by_core=True,
    ),
    Figure(
        "strings_per_core",
        "scoring names of 8 characters over HTTP, all cores",
        "strings a second and core",
        "score",
        ("http",),
        before=("http, all cores",),
        is_by_core=True,
    ),
    Figure(
        "feeds_per_node",
        "feeds of one character, sessions in Valkey",
        "feeds a second and node",
        "store",
        ("feeds per second",),
    ),
    Figure("next_p50", "next character, one client, half below", "ms", "latency", ("alone", "next_p50_ms")),
    Figure("next_p99", "next character, one client, 99 % below", "ms", "latency", ("alone", "next_p99_ms")),
    Figure("sealed", "the sealed state of a session", "bytes", "sessions", ("sealed bytes",)),
    Figure("session", "a session in Valkey", "bytes", "store", ("bytes in Valkey per session",)),
    Figure("to_store", "a feed, from a server to Valkey", "bytes", "store", ("bytes to Valkey per feed",)),
    Figure(
        "from_store", "a feed, from Valkey to a server", "bytes", "store", ("bytes from Valkey per feed",)
    ),
    Figure("to_server", "a feed, from a client to a server", "bytes", "store", ("bytes to server per feed",)),
    Figure("to_client", "a feed, from a server to a client", "bytes", "store", ("bytes to client per feed",)),
    Figure("store_cpu", "a feed, of Valkey's one thread", "µs", "store", ("µs of Valkey per feed",)),
    Figure("ready", "from process start to ready", "s", "start", ("ready_seconds",)),
    Figure("idle", "a server with two models, idle", "MiB", "start", ("idle_mib",)),
)


class UnitCosts:
    """Reads the figures of one machine from its file of benchmarks/results."""

    def __init__(self, results: Path) -> None:
        self.name = results.name
        self._found: dict[str, Any] = json.loads(results.read_text())

    @property
    def num_cores(self) -> int:
        """The cores of the machine that was measured, which is one node of the plan."""
        cores: int = next(iter(self._found["facts"].values()))["cores"]
        return cores

    @property
    def rates(self) -> dict[int, float]:
        """Characters per second of completions streamed over HTTP, by number of clients."""
        return {int(n): row["http-streamed"] for n, row in self._found["serve"].items()}

    def value(self, name: str) -> float | None:
        """Returns a figure by its name; None where it is not measured yet."""
        (figure,) = [figure for figure in FIGURES if figure.name == name]
        places = [keys for keys in (figure.before, figure.keys) if keys]
        found = next((f for f in (self._at(figure.part, *keys) for keys in places) if f is not None), None)
        return found if found is None or not figure.is_by_core else found / self.num_cores

    def _at(self, *keys: str) -> float | None:
        found: Any = self._found
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return float(found) if isinstance(found, int | float) else None

    def known(self, name: str) -> float:
        """Returns a figure that the plan cannot do without.

        Raises:
            LookupError: it is not measured; the message names the command.
        """
        value = self.value(name)
        if value is None:
            (figure,) = [figure for figure in FIGURES if figure.name == name]
            raise LookupError(f"{self.name} has no {figure.what}: run python -m benchmarks {figure.part}")
        return value

    def rows(self) -> list[list[str]]:
        """Returns a line for each figure: what, how much, its unit, the command."""
        return [[f.what, shown(self.value(f.name)), f.unit, f"`{_command(f)}`"] for f in FIGURES]


def _command(figure: Figure) -> str:
    return f"python -m benchmarks {figure.part}"


def shown(value: float | None) -> str:
    """Writes a figure to three digits at least, or that it is not measured."""
    if value is None:
        return NOT_MEASURED
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
