"""The figures of the cards are measured again, on the text that was held out."""

from pathlib import Path

import pytest
from support.tiny_shakespeare import tiny_shakespeare

from nextchar.model.graph import open_graph
from nextchar_training.measure.exported import graph_quality
from nextchar_training.text.heldout import heldout_split

_MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize("name", ["domains", "names", "tinyshakespeare"])
def test_the_figures_of_a_card_are_made_again(name: str) -> None:
    corpus = str(tiny_shakespeare()) if name == "tinyshakespeare" else None  # else the named one of the card
    for file, entry in (("model.onnx", "network"), ("step-int8.onnx", "network-int8")):
        graph = open_graph(_MODELS / name / "1" / file)
        shown = next(q for q in graph.card.quality if q.name == entry)
        found = graph_quality(graph, heldout_split(graph.card, corpus), file)
        assert found.num_chars == shown.num_chars
        assert found.nats_per_char == pytest.approx(shown.nats_per_char, abs=1e-4)
