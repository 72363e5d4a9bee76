"""Prints what a machine could do of a step's products, from counts: `python -m benchmarks.engine.bounds`.

A step has three kinds of products: the recurrent one of the first layer, whose input is a table, the upper
layers', and the output. Its int8 weights are as many bytes as a row has multiply-adds. So a step of n rows
takes at least the cycles of its instructions, and at least those in which its weights come from the cache.
Both are set beside `roofline-int8` of benchmarks/results, at an assumed clock. `--write` puts the tables
into docs/performance.md.
"""

import argparse
import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from benchmarks.engine.markdown import replaced, table
from benchmarks.engine.network import make_network
from benchmarks.engine.products import product_shapes

LANES = (1, 8, 64, 256)
_ROOT = Path(__file__).parents[2]
PAGE = _ROOT / "docs" / "performance.md"

Shapes = list[tuple[int, int]]  # [in, out] of each product


@dataclass(frozen=True, slots=True)
class Unit:
    """Describes an instruction: the block of a product that it multiplies, and how many cycles that takes.

    `bytes_per_cycle` is the width of the path from the second cache to the first.
    """

    name: str
    rows: int
    depth: int
    columns: int
    cycles: float
    bytes_per_cycle: int

    @property
    def multiply_adds(self) -> int:
        return self.rows * self.depth * self.columns

    def arithmetic_cycles(self, shapes: Shapes, num_rows: int) -> float:
        """Returns the cycles of the instructions of a step; a block that is not full counts as one."""
        blocks = sum(ceil(k / self.depth) * ceil(n / self.columns) for k, n in shapes)
        return ceil(num_rows / self.rows) * blocks * self.cycles

    def cache_cycles(self, shapes: Shapes) -> float:
        """Returns the cycles in which the weights of a step arrive, each of them once."""
        return num_weights(shapes) / self.bytes_per_cycle

    def chars_per_second(self, shapes: Shapes, num_rows: int, gigahertz: float) -> float:
        """Returns how many characters one core could read or draw per second."""
        cycles = max(self.arithmetic_cycles(shapes, num_rows), self.cache_cycles(shapes))
        return num_rows * gigahertz * 1e9 / cycles


# Intel 64 and IA-32 Architectures Optimization Reference Manual: a TDPBUSD begins every 16 cycles, two ports
# take VPDPBUSD of 512 bits, and a line of 64 bytes a cycle comes from the second cache. Software Optimization
# Guide for the AMD Zen 4 Microarchitecture (57647): two pipes of 256 bits, which 512-bit operations use
# twice, and 32 bytes a cycle from the second cache and from the third.
TILES = Unit("AMX: TDPBUSD", rows=16, depth=64, columns=16, cycles=16, bytes_per_cycle=64)
TWO_PORTS = Unit("AVX-512 VNNI, two ports: VPDPBUSD", 1, 4, 16, cycles=0.5, bytes_per_cycle=64)
ZEN4 = Unit("AVX-512 VNNI, Zen 4: VPDPBUSD", 1, 4, 16, cycles=1, bytes_per_cycle=32)


@dataclass(frozen=True, slots=True)
class Machine:
    """Names a file of benchmarks/results, the units of the machine that it is from, and the clock assumed."""

    results: str
    units: tuple[Unit, ...]
    gigahertz: float


MACHINES = (Machine("run", (TILES, TWO_PORTS), 3.0), Machine("no-amx", (ZEN4,), 3.7))


def num_weights(shapes: Shapes) -> int:
    """Returns the weights of a step: multiply-adds of a row, and bytes in int8."""
    return sum(k * n for k, n in shapes)


def measured(results: str) -> dict[int, float]:
    """Returns characters per second of the library's products alone by number of rows, of a results file."""
    found = json.loads((_ROOT / "benchmarks" / "results" / f"{results}.json").read_text())["engine 2x512"]
    return {n: found[str(n)]["roofline-int8"] for n in LANES}


def lowest_gigahertz(unit: Unit, shapes: Shapes, num_rows: int, rate: float) -> float:
    """Returns the clock below which a unit could not do so many characters per second."""
    return rate / unit.chars_per_second(shapes, num_rows, 1.0)


def count_tables(shapes: Shapes) -> str:
    """Returns the counts of the network and of the units."""
    products = [[f"{k:,} × {n:,}", f"{k * n:,}", f"{ceil(k / 64) * ceil(n / 16):,}"] for k, n in shapes]
    tiles = TILES.arithmetic_cycles(shapes, 16) / TILES.cycles
    products.append(["a step", f"{num_weights(shapes):,}", f"{tiles:,.0f}"])
    head = ["product", "multiply-adds of a row, bytes of weights", "tile instructions for 16 rows"]
    units = [
        [
            unit.name,
            f"{unit.multiply_adds:,}",
            f"{unit.cycles:g}",
            f"{unit.multiply_adds / unit.cycles:,.0f}",
            f"{unit.bytes_per_cycle}",
        ]
        for unit in (TILES, TWO_PORTS, ZEN4)
    ]
    what = ["instruction", "multiply-adds", "cycles", "multiply-adds a cycle", "bytes a cycle from the cache"]
    return table(head, products) + "\n" + table(what, units)


def bound_table(shapes: Shapes, machine: Machine) -> str:
    """Returns the bounds of a machine's units by number of rows, and how far the library comes."""
    rates, rows = measured(machine.results), []
    for unit in machine.units:
        bounds = {n: unit.chars_per_second(shapes, n, machine.gigahertz) for n in LANES}
        cycles = [f"{unit.arithmetic_cycles(shapes, n):,.0f}" for n in LANES]
        rows += [
            [f"{unit.name}: cycles of its instructions", *cycles],
            ["cycles of the weights", *[f"{unit.cache_cycles(shapes):,.0f}"] * len(LANES)],
            [f"bound at {machine.gigahertz:g} GHz", *[f"{bounds[n]:,.0f}" for n in LANES]],
            ["`roofline-int8` ÷ bound", *[f"{rates[n] / bounds[n]:.2f}" for n in LANES]],
            [
                "clock in GHz below which it would be more than the bound",
                *[f"{lowest_gigahertz(unit, shapes, n, rates[n]):.2f}" for n in LANES],
            ],
        ]
    head = [f"`benchmarks/results/{machine.results}.json`, by rows", *map(str, LANES)]
    return table(
        head, [["`roofline-int8`, characters a second", *[f"{rates[n]:,.0f}" for n in LANES]], *rows]
    )


def tables(shapes: Shapes) -> str:
    """Returns all tables, as the page has them."""
    return "\n".join([count_tables(shapes), *(bound_table(shapes, machine) for machine in MACHINES)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine.bounds", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    write = parser.parse_args().write
    text = tables(product_shapes(make_network(512, 2)))
    print(text, end="")
    if write:
        PAGE.write_text(replaced(PAGE.read_text(), "bounds", text))


if __name__ == "__main__":
    main()
