"""Says a case folding in the card of a model file that was exported without one; the graph stays as it is.

    python -m nextchar_training.export.case_folding lower models/domains/1/*.onnx

It is for a model that was trained on text in one case, of which its card says nothing. `nextchar train
--case-folding` makes that unnecessary.
"""

import json
import sys
from pathlib import Path
from typing import Any

import onnx

from nextchar.model.card import CARD_KEY
from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import ModelGraph, graph_from_bytes


def with_case_folding(content: bytes, folding: str) -> bytes:
    """Returns the bytes of a model file whose card has a case folding, and golden scores that fit it.

    Raises:
        ModelFileError: it is no model file, or has characters that the folding leaves in no text.
    """
    card = graph_from_bytes(content, shown="the file").card.model_dump(mode="json")
    card["vocabulary"]["case_folding"] = folding
    draft = graph_from_bytes(with_card(content, card), shown="the file")
    card["golden"] = _golden(draft)
    folded = with_card(content, card)
    check_golden(graph_from_bytes(folded, shown="the file"), shown="the file")
    return folded


def with_card(content: bytes, card: dict[str, Any]) -> bytes:
    """Returns the bytes of a model file with another card; the graph stays as it is."""
    model = onnx.load_from_string(content)
    (entry,) = (entry for entry in model.metadata_props if entry.key == CARD_KEY)
    entry.value = json.dumps(card, separators=(",", ":"))  # it is validated where the file is opened
    content_with_card: bytes = model.SerializeToString()
    return content_with_card


def _golden(graph: ModelGraph) -> list[dict[str, Any]]:
    texts = [golden.text for golden in graph.card.golden]
    scores = score_strings(graph, [graph.vocabulary.encode(text) for text in texts])
    return [{"text": text, "logprob": score} for text, score in zip(texts, scores, strict=True)]


def main() -> None:
    folding, *paths = sys.argv[1:]
    for path in map(Path, paths):
        path.write_bytes(with_case_folding(path.read_bytes(), folding))
        print(f"{path}: case_folding {folding}")


if __name__ == "__main__":
    main()
