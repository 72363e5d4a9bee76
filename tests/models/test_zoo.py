"""Every shipped model loads, scores its golden strings, and has a card that agrees with its evaluation."""

from pathlib import Path

import pytest
from support.tiny_shakespeare import tiny_shakespeare

from nextchar.model.golden import check_golden
from nextchar.model.graph import open_graph
from nextchar_training.measure.exported import graph_quality
from nextchar_training.text.heldout import heldout_split

_MODELS = Path(__file__).parents[2] / "models"
_VERSIONS = sorted(path.parent for path in _MODELS.glob("*/*/model.onnx"))
_README = (_MODELS / "README.md").read_text()
_MAX_BYTES = 90_000_000  # of all of them


@pytest.mark.parametrize("folder", _VERSIONS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_model_is_what_its_card_says(folder: Path) -> None:
    sequence, step = open_graph(folder / "model.onnx"), open_graph(folder / "step-int8.onnx")
    for graph in (sequence, step):
        check_golden(graph, shown=str(folder))
    assert len(step.card.golden) >= 4
    assert len(step.card.quantiles) >= 2
    quality = {(q.name, q.protocol): q for q in step.card.quality}
    protocol = "line" if step.card.vocabulary.unit == "line" else "stream"
    network, ngram = quality["network", protocol], quality["kneser-ney-7", protocol]
    assert network.nats_per_char < ngram.nats_per_char
    assert quality["network-int8", protocol].nats_per_char - network.nats_per_char <= 0.002
    assert step.card.provenance["licence"] in _README.replace("\n", " ")
    assert str(step.card.provenance["command"]).partition("--name")[0] in _README


@pytest.mark.parametrize("name", ["domains", "names", "tinyshakespeare"])
def test_the_figures_of_a_card_are_made_again(name: str) -> None:
    corpus = str(tiny_shakespeare()) if name == "tinyshakespeare" else None  # else the named one of the card
    for file, entry in (("model.onnx", "network"), ("step-int8.onnx", "network-int8")):
        graph = open_graph(_MODELS / name / "1" / file)
        split = heldout_split(graph.card, corpus, 0.1, None)
        shown = next(q for q in graph.card.quality if q.name == entry)
        found = graph_quality(graph, split, file)
        assert found.num_chars == shown.num_chars
        assert found.nats_per_char == pytest.approx(shown.nats_per_char, abs=1e-4)


def test_all_models_are_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in _MODELS.rglob("*.onnx")) <= _MAX_BYTES
