"""Implements `nextchar card`, which shows the card of a model file."""

from pathlib import Path

import click
import numpy as np

from nextchar.model.card import Card
from nextchar.model.graph import ModelGraph, open_graph
from nextchar.repository.folder import find_model

_MAX_LENGTHS = 8


@click.command
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the whole card as JSON.")
def card(model: Path, as_json: bool) -> None:
    """Show the card of MODEL: its network, characters, quality and provenance.

    MODEL is a model file, the folder of a version or the folder of a model.
    """
    found = find_model(model)
    graph = open_graph(found.path, shown=found.shown(found.path))
    click.echo(graph.card.model_dump_json(indent=2) if as_json else "\n".join(describe(graph)))


def describe(graph: ModelGraph) -> list[str]:
    """Formats the card as lines of text."""
    card = graph.card
    vocabulary = card.vocabulary
    lines = [
        f"{card.cell} {card.graph} graph, {card.precision}, format {card.format}",
        _line("digest", f"sha256 {graph.digest}"),
        _line("inputs", ", ".join(f"{n} {t.type}" for n, t in graph.signature.inputs.items())),
        _line("states", ", ".join(f"{source} ← {target}" for source, target in card.states.items())),
        _line("state", f"{graph.state_bytes} bytes per session"),
        _line("characters", f"{len(vocabulary.characters)}: {''.join(vocabulary.characters)!r}"),
        _line(
            "policies",
            f"unit {vocabulary.unit}, unknown {vocabulary.unknown}, Unicode {vocabulary.normalization}, "
            f"case folding {vocabulary.case_folding}",
        ),
    ]
    lines += ["", "quality on held-out text"]
    lines += [
        f"  {q.name:14} {q.protocol:14} {q.nats_per_char:8.4f} nats {q.bits_per_char:8.4f} bits "
        f"per character  ({q.num_chars:,} characters)"
        for q in card.quality
    ]
    lines += ["", "surprise of held-out strings by length", *_surprise(graph)]
    lines += ["", "provenance", *(_line(key, str(value)) for key, value in card.provenance.items())]
    return [*lines, "", "golden strings", *_golden(card)]


def _surprise(graph: ModelGraph) -> list[str]:
    """Formats the median and the highest hundredth of bits per character, and the least p-value."""
    calibration = graph.calibration
    if calibration is None:
        return ["  not measured: scores have no percentile and no p-value"]
    shown = []
    for length in calibration.some_lengths(_MAX_LENGTHS):
        middle, high = calibration.bits_at(length, np.array([0.5, 0.01]))
        finest = float(calibration.finest(np.array([length]))[0])
        shown.append(
            f"  {length:5} characters: median {middle:6.3f} bits per character, 1 in 100 above {high:6.3f}, "
            f"p-values from {finest:.1e}"
        )
    return shown


def _line(key: str, value: str) -> str:
    return f"  {key:22} {value}"


def _golden(card: Card) -> list[str]:
    return [f"  {golden.logprob:10.4f}  {golden.text!r}" for golden in card.golden]
