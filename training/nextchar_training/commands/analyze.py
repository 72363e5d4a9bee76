"""Defines `nextchar analyze`: draws pictures of what a trained network does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch

from nextchar.model.graph import open_graph
from nextchar_training.commands.heldout_options import heldout_options
from nextchar_training.export.read_back import load_network
from nextchar_training.inside.page import (
    GRADIENT_STEPS,
    RECALL_STEPS,
    dependency_part,
    gates_part,
    gradient_part,
    recall_part,
)
from nextchar_training.network.cells.table import CELLS
from nextchar_training.page import html as html
from nextchar_training.text.heldout import heldout_split

PARTS = ("gradient", "gates", "dependency", "recall")
_NUM_TEXT_CHARS = 120


@click.command(name="analyze")
@click.argument("file", type=click.Path(path_type=Path))
@heldout_options
@click.option(
    "--text", help="The text over which gates are drawn; the start of the held-out text by default."
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    help="A part of the page; repeat it for several. All parts by default.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("analysis.html"),
    show_default=True,
    help="The page to write.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    default=GRADIENT_STEPS,
    show_default=True,
    help="The number of updates of each small network that is trained to compare cells.",
)
@click.option(
    "--recall-steps",
    type=click.IntRange(1),
    default=RECALL_STEPS,
    show_default=True,
    help="The number of updates per lag of the recall task, at most.",
)
def analyze(
    file: Path,
    text: str | None,
    parts: tuple[str, ...],
    output: Path,
    steps: int,
    recall_steps: int,
    **corpus: Any,
) -> None:
    """Draw what FILE (a model.onnx) does inside: gradient flow, gates, long dependencies, recall by cell."""
    # The networks trained here are small: two threads that share a step are slower than one, and many times
    # slower on a busy machine.
    torch.set_num_threads(1)
    model, card = load_network(file)
    vocabulary = card.make_vocabulary()
    chosen = parts or PARTS

    def sections() -> Iterator[str]:
        yield html.paragraph(f"{CELLS[card.cell].title}, {card.provenance.get('corpus', 'unknown text')}")
        if "gradient" in chosen or "gates" in chosen:
            split = heldout_split(card, **corpus)
            start = str(split.heldout[:_NUM_TEXT_CHARS])
            shown = text or (start.partition("\n")[0] if split.unit == "line" else start)
            if "gradient" in chosen:
                yield from gradient_part(model, vocabulary, split, steps=steps)
            if "gates" in chosen:
                yield from gates_part(model, vocabulary, split, shown)
        if "dependency" in chosen:
            yield from dependency_part(open_graph(file))
        if "recall" in chosen:
            yield from recall_part(list(CELLS), max_steps=recall_steps)

    output.write_text(html.page(f"nextchar: inside {file.parent.parent.name}", sections()), encoding="utf-8")
    click.echo(f"wrote {output}")
