"""The plan: tables of docs/scale.md, from unit costs and from assumptions that are named."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.engine.markdown import table
from benchmarks.scale.queueing import busiest, shared, speed_of, wait, wait_of_two_choices
from benchmarks.scale.units import UnitCosts, shown
from nextchar.service.sessions.stores.valkey_link import MAX_CALLS
from nextchar.service.sessions.stores.valkey_scripts import REPLACE

NODES = (1, 10, 100, 1_000)
LOADS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
SERVERS = (1, 2, 4, 16)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Holds what is not measured but chosen: the load, and limits of the store's machine."""

    load: float = 0.6  # of a node's engines
    chars_per_completion: int = 256
    users_per_node: int = 200  # who type at the same time
    keys_per_second: float = 3.0  # of each; a key is one feed
    sessions_per_user: int = 10  # that are kept
    primary_gib: float = 64.0
    primary_gigabits: float = 10.0
    primary_clients: int = 10_000  # Valkey's own default of `maxclients`
    surge: float = 0.1  # of the nodes, replaced at the same time

    def rows(self) -> list[list[str]]:
        return [
            ["load of a node's engines", f"{self.load:g}"],
            ["characters of a completion", f"{self.chars_per_completion}"],
            ["users of a node who type at the same time", f"{self.users_per_node}"],
            ["keys that each presses, of which each is a feed", f"{self.keys_per_second:g} a second"],
            ["sessions that are kept for each", f"{self.sessions_per_user}"],
            ["a Valkey primary: memory", f"{self.primary_gib:g} GiB"],
            ["its network", f"{self.primary_gigabits:g} Gbit/s"],
            ["its connections, `maxclients`", f"{self.primary_clients:,}"],
            ["nodes that are replaced at the same time", f"{self.surge:.0%}"],
        ]


Tables = dict[str, str]


def tables(costs: UnitCosts, chosen: Assumptions) -> Tables:
    """Returns the tables by their names in the page."""
    return {
        "units": table([f"`benchmarks/results/{costs.name}`", "cost", "unit", "command"], costs.rows()),
        "assumptions": table(["assumed", ""], chosen.rows()),
        "nodes": _nodes(costs, chosen),
        "engine": _engine(costs, chosen),
        "waits": _waits(),
        "store": _store(costs, chosen),
        "breaks": _breaks(costs, chosen),
    }


def _by_nodes(rows: list[tuple[str, Callable[[int], str]]]) -> str:
    return table(["nodes", *(f"{n:,}" for n in NODES)], [[what, *map(told, NODES)] for what, told in rows])


def _nodes(costs: UnitCosts, chosen: Assumptions) -> str:
    cores = costs.num_cores
    chars = costs.known("chars_per_core") * cores * chosen.load
    strings = costs.known("strings_per_core") * cores * chosen.load
    feeds = costs.value("feeds_per_node")
    return _by_nodes(
        [
            ("cores", lambda n: f"{n * cores:,}"),
            ("characters a second", lambda n: f"{n * chars:,.0f}"),
            ("completions a second", lambda n: f"{n * chars / chosen.chars_per_completion:,.0f}"),
            ("or feeds a second", lambda n: shown(feeds and n * feeds * chosen.load)),
            ("or strings scored a second", lambda n: f"{n * strings:,.0f}"),
            ("strings scored a day, in billions", lambda n: f"{n * strings * 86_400 / 1e9:,.1f}"),
        ]
    )


def _engine(costs: UnitCosts, chosen: Assumptions) -> str:
    speed, most, rows = speed_of(costs.rates), max(costs.rates), []
    for load in LOADS:
        at = shared(speed, max_lanes=most, load=load, chars_per_completion=chosen.chars_per_completion)
        rows.append(
            [
                f"{load:g}",
                f"{load * speed(most) / chosen.chars_per_completion:,.0f}",
                f"{at.num_lanes:,.1f}",
                f"{1000 * at.seconds / chosen.chars_per_completion:.2f}",
                f"{1000 * at.seconds:,.0f}",
                f"{at.waiting:.1e}" if at.waiting < 0.001 else f"{at.waiting:.3f}",
            ]
        )
    head = ["load", "completions a second", "lanes in use, mean", "ms a character", "ms a completion"]
    return table([*head, f"finds {most} before it"], rows)


def _waits() -> str:
    head = ["load", *(f"{k} engines of one queue" if k > 1 else "one engine alone" for k in SERVERS)]
    rows = [
        [f"{load:g}", *(f"{wait(k, load):.2f}" for k in SERVERS), f"{wait_of_two_choices(load):.2f}"]
        for load in LOADS
    ]
    return table([*head, "one engine, the less busy of two"], rows)


def session_bytes(costs: UnitCosts) -> float:
    """Returns what a session takes in Valkey: measured, else its sealed state, which is less."""
    return costs.value("session") or costs.known("sealed")


def feed_bytes(costs: UnitCosts) -> float:
    """Returns what a feed sends to Valkey: measured, else the script and the sealed state, which is less."""
    return costs.value("to_store") or len(REPLACE) + costs.known("sealed")


def num_primaries(costs: UnitCosts, chosen: Assumptions, num_nodes: int) -> dict[str, float]:
    """Returns how many Valkey primaries each resource needs; those of the processor only if measured."""
    users = num_nodes * chosen.users_per_node
    feeds = users * chosen.keys_per_second
    needed = {
        "memory": users * chosen.sessions_per_user * session_bytes(costs) / (chosen.primary_gib * 2**30),
        "network": feeds * feed_bytes(costs) * 8 / (chosen.primary_gigabits * 1e9),
        "connections": num_nodes * MAX_CALLS / chosen.primary_clients,
    }
    microseconds = costs.value("store_cpu")
    return needed if microseconds is None else needed | {"its one thread": feeds * microseconds / 1e6}


def _store(costs: UnitCosts, chosen: Assumptions) -> str:
    users, keys = chosen.users_per_node, chosen.keys_per_second
    by_nodes = {n: num_primaries(costs, chosen, n) for n in NODES}
    one = by_nodes[NODES[0]]
    rows: list[tuple[str, Callable[[int], str]]] = [
        ("users who type", lambda n: f"{n * users:,}"),
        ("feeds a second", lambda n: f"{n * users * keys:,.0f}"),
        ("to Valkey, MB a second", lambda n: f"{n * users * keys * feed_bytes(costs) / 1e6:,.1f}"),
        ("sessions", lambda n: f"{n * users * chosen.sessions_per_user:,}"),
        ("sessions a GiB", lambda _: f"{2**30 / session_bytes(costs):,.0f}"),
        ("connections, at most", lambda n: f"{n * MAX_CALLS:,}"),
    ]

    def needed(what: str) -> Callable[[int], str]:
        return lambda n: f"{by_nodes[n][what]:.3f}"

    return _by_nodes(rows + [(f"primaries for {what}", needed(what)) for what in one])


def _breaks(costs: UnitCosts, chosen: Assumptions) -> str:
    ready = costs.known("ready")
    return _by_nodes(
        [
            ("busiest node ÷ mean, users by a hash", lambda n: f"{busiest(chosen.users_per_node, n):.2f}"),
            ("so the mean load may be", lambda n: f"{0.9 / busiest(chosen.users_per_node, n):.2f}"),
            ("sessions that move if a node is added or lost", lambda n: f"{1 / n:.1%}"),
            ("a roll-out, node by node, at least", lambda n: f"{n * ready:,.0f} s"),
            (
                f"the same, {chosen.surge:.0%} at a time",
                lambda n: f"{n / max(1, int(n * chosen.surge)) * ready:,.0f} s",
            ),
        ]
    )
