"""`nextchar evaluate`: an exported file on held-out text, through the runtime that serves it."""

from pathlib import Path
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.modelfile import Card, Quality
from nextchar.runner import open_graph
from nextchar_training.corpus import load_corpus
from nextchar_training.dynamic_evaluation import Dynamics, dynamic_loss
from nextchar_training.evaluation import WARM_CHARS
from nextchar_training.graph_evaluation import PROTOCOLS, graph_quality
from nextchar_training.named_corpora import NAMED
from nextchar_training.network_file import load_network
from nextchar_training.report import MAX_HELDOUT_CHARS, make_quality
from nextchar_training.split import Split, split_corpus
from nextchar_training.symbols import encode

DYNAMIC = "dynamic"


@click.command(name="evaluate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--corpus", metavar="NAME|PATH", help="Default: the named corpus the model was trained on.")
@click.option("--heldout", type=click.FloatRange(0, min_open=True), default=0.1, show_default=True)
@click.option("--heldout-file", metavar="PATH", help="A text that is held out as a whole.")
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
    split, unit = _split(graph.card, **text), graph.card.vocabulary.unit
    for name in [protocol] if protocol else [p for p, of in PROTOCOLS.items() if of == unit]:
        if PROTOCOLS.get(name, "text") != unit:
            raise InvalidRequest(f"--protocol {name} is not for models of the unit {unit}", param="protocol")
        if name == DYNAMIC:
            dynamics = Dynamics(dynamic_rate, dynamic_decay, dynamic_segment)
            click.echo(_line(_dynamic_quality(file, split, dynamics, max_chars)))
        else:
            click.echo(_line(graph_quality(graph, split, file.name, protocol=name, max_chars=max_chars)))
    click.echo("in the card:")
    for entry in graph.card.quality:
        click.echo(_line(entry))


def _dynamic_quality(file: Path, split: Split, dynamics: Dynamics, max_chars: int) -> Quality:
    model, card = load_network(file)
    vocabulary = card.make_vocabulary()
    ids = encode(vocabulary, split.heldout[:max_chars])
    before, train = encode(vocabulary, split.before_heldout(WARM_CHARS)), encode(vocabulary, split.train)
    nats = dynamic_loss(model, ids, before=before, train=train, dynamics=dynamics)
    return make_quality(file.name, DYNAMIC, nats * len(ids), len(ids))


def _split(card: Card, corpus: str | None, heldout: float, heldout_file: str | None) -> Split:
    name = heldout_file or corpus or _trained_on(card)
    vocabulary = card.vocabulary
    text = load_corpus(name, symbols=vocabulary.symbols, normalization=vocabulary.normalization)
    if not heldout_file and not corpus and text.sha256 != card.provenance.get("corpus_sha256"):
        raise InvalidRequest(f"the corpus {text.name!r} is not the one this model was trained on")
    share = len(text.text) if heldout_file else heldout
    return split_corpus(text, unit=vocabulary.unit, heldout=share, development=0, window=-1)


def _trained_on(card: Card) -> str:
    name = str(card.provenance.get("corpus", ""))
    if name not in NAMED or str(card.provenance.get("corpus_source")).startswith(("file ", "folder ")):
        raise InvalidRequest(f"this model was trained on a file ({name!r}): give --corpus", param="corpus")
    return name


def _line(entry: Quality) -> str:
    return (
        f"{entry.name:18} {entry.protocol:12} {entry.nats_per_char:.4f} nats, {entry.bits_per_char:.4f} bits "
        f"per character ({entry.num_chars:,} characters)"
    )
