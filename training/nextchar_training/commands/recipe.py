"""Chooses the size, the regularisation, the length and the rates of a run by the size of its text.

The rule is a table by the symbols of the training part, from runs of this project (docs/quality.md,
models/README.md), and a length: as many passes as a run of `WORK` makes, at least one and at most those of
the table. A network that is twice as large thus makes half as many passes.
"""

import math
from dataclasses import dataclass
from typing import Any

from nextchar.model.card import Cell
from nextchar_training.network.cells.table import CELLS
from nextchar_training.text.code_points import Unit

# Twelve minutes on two cores without bfloat16, in characters times parameters; evaluations, the n-gram and
# the export have the rest of a quarter of an hour.
WORK = 1.7e13
_MIN_WINDOW = 2
_ADAMW_DECAY, _SGD_DECAY = 0.01, 0.0  # SGD's is not decoupled: at its rates 0.01 takes the weights to zero


@dataclass(frozen=True, slots=True)
class Size:
    """A row of the table: what a training part of at most `max_symbols` is given."""

    max_symbols: float
    num_layers: int
    hidden_size: int
    embedding_size: int
    dropout: float
    batch_size: int
    window: int
    max_epochs: float


SIZES: dict[Unit, tuple[Size, ...]] = {
    "text": (
        Size(40_000, 1, 256, 64, 0.5, 8, 64, 60),
        Size(300_000, 1, 512, 64, 0.5, 16, 64, 40),
        Size(1_500_000, 2, 320, 128, 0.3, 32, 128, 30),
        Size(3_000_000, 2, 320, 128, 0.2, 32, 128, 20),
        Size(15_000_000, 2, 320, 128, 0.1, 32, 128, 10),
        Size(math.inf, 2, 512, 128, 0.05, 64, 128, 5),
    ),
    "line": (
        Size(40_000, 1, 128, 32, 0.4, 8, 64, 60),
        Size(300_000, 1, 256, 32, 0.3, 16, 64, 40),
        Size(1_000_000, 1, 256, 32, 0.2, 32, 128, 30),
        Size(15_000_000, 1, 384, 32, 0.1, 32, 128, 25),
        Size(math.inf, 1, 512, 32, 0.05, 64, 128, 5),
    ),
}


@dataclass(frozen=True, slots=True)
class TextSize:
    """What the rule reads of a text: the symbols of its training part, and how many different ones."""

    unit: Unit
    num_symbols: int
    num_characters: int


def size_of(text: TextSize) -> Size:
    """Returns the row of the table for a text."""
    return next(size for size in SIZES[text.unit] if text.num_symbols <= size.max_symbols)


def complete(options: dict[str, Any], text: TextSize, cell: Cell) -> dict[str, Any]:
    """Returns the options with a value of the rule for each that is None; those that are given stay.

    The passes follow from the size of the network, whether given or not. They are left out where the run has
    another length.
    """
    size = size_of(text)
    window = max(_MIN_WINDOW, min(size.window, text.num_symbols // 4))
    chosen = {
        "num_layers": size.num_layers,
        "hidden_size": size.hidden_size,
        "embedding_size": size.embedding_size,
        "dropout": size.dropout,
        "batch_size": size.batch_size,
        "window": window,
        "learning_rate": CELLS[cell].usual_rate(options["optimizer"]),
        "weight_decay": _SGD_DECAY if options["optimizer"] == "sgd" else _ADAMW_DECAY,
    }
    found = options | {name: value for name, value in chosen.items() if options[name] is None}
    if all(options[name] is None for name in ("epochs", "steps", "max_minutes")):
        found["epochs"] = usual_epochs(found, text, cell)
    return found


def usual_epochs(options: dict[str, Any], text: TextSize, cell: Cell) -> float:
    """Returns the passes that a run of `WORK` makes, at least one, to two digits."""
    wanted = WORK / num_weights(options, text, cell) / max(1, text.num_symbols)
    return float(f"{max(1.0, min(wanted, size_of(text).max_epochs)):.2g}")


def num_weights(options: dict[str, Any], text: TextSize, cell: Cell) -> int:
    """Returns the weights that are multiplied for each character: about the number of parameters."""
    hidden, layers = options["hidden_size"], options["num_layers"]
    embedding = options["embedding_size"] or text.num_characters
    inputs = embedding + hidden * (layers - 1)
    return int(CELLS[cell].num_gates * hidden * (inputs + hidden * layers) + text.num_characters * hidden)
