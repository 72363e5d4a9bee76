"""`nextchar evaluate`: an exported file on held-out text, through the runtime that serves it."""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.model.card import Quality
from nextchar.model.graph import open_graph
from nextchar_training.export.read_back import load_network
from nextchar_training.measure.dynamic import Dynamics, dynamic_loss
from nextchar_training.measure.exported import PROTOCOLS, graph_quality
from nextchar_training.measure.figures import MAX_HELDOUT_CHARS, make_quality
from nextchar_training.measure.protocols import WARM_CHARS
from nextchar_training.text.heldout import heldout_split, text_options
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

DYNAMIC = "dynamic"


@click.command(name="evaluate")
@click.argument("file", type=click.Path(path_type=Path))
@text_options
@click.option(
    "--protocol",
    type=click.Choice([*PROTOCOLS, DYNAMIC]),
    help="Default: all of the model's unit but `dynamic`, in which model.onnx goes on learning.",
)
@click.option("--dynamic-rate", type=click.FloatRange(0), default=Dynamics.rate, show_default=True)
@click.option("--dynamic-decay", type=click.FloatRange(0, 1), default=Dynamics.decay, show_default=True)
@click.option("--dynamic-segment", type=click.IntRange(1), default=Dynamics.segment, show_default=True)
@click.option("--max-chars", type=click.IntRange(1), default=MAX_HELDOUT_CHARS, show_default=True)
def evaluate(
    file: Path,
    protocol: str | None,
    max_chars: int,
    dynamic_rate: float,
    dynamic_decay: float,
    dynamic_segment: int,
    **text: Any,
) -> None:
    """Nats and bits per character of FILE (model.onnx or a step graph) on the held-out part of a corpus."""
    graph = open_graph(file)
    split, unit = heldout_split(graph.card, **text), graph.card.vocabulary.unit
    for name in [protocol] if protocol else [p for p, of in PROTOCOLS.items() if of == unit]:
        if PROTOCOLS.get(name, "text") != unit:
            raise InvalidRequest(f"--protocol {name} is not for models of the unit {unit}", param="protocol")
        if name == DYNAMIC:
            dynamics = Dynamics(dynamic_rate, dynamic_decay, dynamic_segment)
            click.echo(_line(dynamic_quality(file, split, dynamics, max_chars)))
        else:
            click.echo(_line(graph_quality(graph, split, file.name, protocol=name, max_chars=max_chars)))
    click.echo("in the card:")
    for entry in graph.card.quality:
        click.echo(_line(entry))


def dynamic_quality(file: Path, split: Split, dynamics: Dynamics, max_chars: int) -> Quality:
    """The loss of a model.onnx that goes on learning, on the first `max_chars` held-out characters."""
    model, card = load_network(file)
    if not len(split.train):
        raise InvalidRequest("--protocol dynamic measures gradients on the training part: give --corpus")
    vocabulary = card.make_vocabulary()
    ids = encode(vocabulary, split.heldout[:max_chars])
    before, train = encode(vocabulary, split.before_heldout(WARM_CHARS)), encode(vocabulary, split.train)
    nats = dynamic_loss(model, ids, before=before, train=train, dynamics=dynamics)
    return make_quality(file.name, DYNAMIC, nats * len(ids), len(ids))


def _line(entry: Quality) -> str:
    return (
        f"{entry.name:18} {entry.protocol:12} {entry.nats_per_char:.4f} nats, {entry.bits_per_char:.4f} bits "
        f"per character ({entry.num_chars:,} characters)"
    )
