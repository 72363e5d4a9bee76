"""`nextchar evaluate`: an exported file on held-out text, through the runtime that serves it."""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.modelfile import Card, Quality
from nextchar.runner import open_graph
from nextchar_training.corpus import NAMED, load_corpus
from nextchar_training.graph_evaluation import graph_quality
from nextchar_training.split import split_corpus
from nextchar_training.training_config import TrainingConfig


@click.command(name="evaluate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--corpus", metavar="NAME|FILE", help="Default: the named corpus the model was trained on.")
@click.option("--heldout", type=click.FloatRange(0, 0.5, min_open=True), default=0.1, show_default=True)
@click.option("--max-chars", type=click.IntRange(1), help="Only the first of the held-out characters.")
def evaluate(file: Path, corpus: str | None, heldout: float, max_chars: int | None) -> None:
    """Nats and bits per character of FILE (model.onnx or a step graph) on the held-out part of a corpus."""
    graph = open_graph(file)
    text = load_corpus(corpus or _trained_on(graph.card))
    if corpus is None and text.sha256 != graph.card.provenance.get("corpus_sha256"):
        raise InvalidRequest(f"the corpus {text.name!r} is not the one this model was trained on")
    split = split_corpus(
        text,
        unit=graph.card.vocabulary.unit,
        heldout=heldout,
        development=_default("development"),
        normalization=graph.card.vocabulary.normalization,
        window=1,
    )
    click.echo(_line(graph_quality(graph, split, file.name, max_chars=max_chars)))
    click.echo("in the card:")
    for entry in graph.card.quality:
        click.echo(_line(entry))


def _trained_on(card: Card) -> str:
    name = str(card.provenance.get("corpus", ""))
    if name not in NAMED:
        raise InvalidRequest(f"this model was trained on a file ({name!r}): give --corpus", param="corpus")
    return name


def _default(name: str) -> Any:
    return TrainingConfig.__dataclass_fields__[name].default


def _line(entry: Quality) -> str:
    return (
        f"{entry.name:18} {entry.protocol:12} {entry.nats_per_char:.4f} nats, {entry.bits_per_char:.4f} bits "
        f"per character ({entry.num_chars:,} characters)"
    )
