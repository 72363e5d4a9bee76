"""Defines `nextchar evaluate`: measures an exported file on held-out text, in the serving runtime."""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.model.card import Quality
from nextchar.model.graph import open_graph
from nextchar_training.commands.heldout_options import heldout_options
from nextchar_training.commands.number_range import NumberRange
from nextchar_training.export.read_back import load_network
from nextchar_training.measure.dynamic import DYNAMIC, Dynamics, dynamic_quality
from nextchar_training.measure.exported import PROTOCOLS, graph_quality
from nextchar_training.measure.figures import MAX_HELDOUT_CHARS
from nextchar_training.text.heldout import heldout_split


@click.command(name="evaluate")
@click.argument("file", type=click.Path(path_type=Path))
@heldout_options
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS, DYNAMIC]),
    help="The protocol of the evaluation; in dynamic, model.onnx keeps learning from what it has read.  "
    "[default: all of the model's unit but dynamic]",
)
@click.option(
    "--dynamic-rate",
    type=NumberRange(0),
    default=Dynamics.rate,
    show_default=True,
    help="The learning rate of the protocol dynamic.",
)
@click.option(
    "--dynamic-decay",
    type=NumberRange(0, 1),
    default=Dynamics.decay,
    show_default=True,
    help="The decay to the initial weights in the protocol dynamic, per segment.",
)
@click.option(
    "--dynamic-segment",
    type=click.IntRange(1),
    default=Dynamics.segment,
    show_default=True,
    help="The number of characters per update in the protocol dynamic.",
)
@click.option(
    "--max-chars",
    type=click.IntRange(1),
    default=MAX_HELDOUT_CHARS,
    show_default=True,
    help="The number of held-out characters to read, at most.",
)
def evaluate(
    file: Path,
    protocol: str | None,
    max_chars: int,
    dynamic_rate: float,
    dynamic_decay: float,
    dynamic_segment: int,
    **text: Any,
) -> None:
    """Measure nats and bits per character of FILE (model.onnx or a step graph) on held-out text."""
    graph = open_graph(file)
    split, unit = heldout_split(graph.card, **text), graph.card.vocabulary.unit
    for name in [protocol] if protocol else [p for p, of in PROTOCOLS.items() if of == unit]:
        if PROTOCOLS.get(name, "text") != unit:
            raise InvalidRequest(
                f"--protocol {name} is for models of another unit: this model's is {unit}", param="protocol"
            )
        if name == DYNAMIC:
            model, card = load_network(file)
            dynamics = Dynamics(dynamic_rate, dynamic_decay, dynamic_segment)
            vocabulary = card.make_vocabulary()
            found = dynamic_quality(
                model, vocabulary, split, file.name, dynamics=dynamics, max_chars=max_chars
            )
            click.echo(_line(found))
        else:
            click.echo(_line(graph_quality(graph, split, file.name, protocol=name, max_chars=max_chars)))
    click.echo(f"text: {split.description}")
    click.echo("in the card:")
    for entry in graph.card.quality:
        click.echo(_line(entry))


def _line(entry: Quality) -> str:
    return (
        f"{entry.name:18} {entry.protocol:12} {entry.nats_per_char:.4f} nats, {entry.bits_per_char:.4f} bits "
        f"per character ({entry.num_chars:,} characters)"
    )
