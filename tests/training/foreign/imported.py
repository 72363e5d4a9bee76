"""Runs `nextchar import`, and reads what the model that it wrote computes."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from training.foreign.makers import TEXT

from nextchar.entrypoints.main import main
from nextchar.model.golden import symbol_logprobs
from nextchar.model.graph import open_graph


def import_model(folder: Path, file: str, models: Path, *arguments: str) -> Result:
    """Imports a file whose symbols are in `symbols.json` beside it."""
    given = ["import", str(folder / file), "--symbols", str(folder / "symbols.json"), "--models", str(models)]
    return CliRunner().invoke(main, [*given, *arguments])


def served_logprobs(version: Path) -> np.ndarray:
    """Returns log p of each character of the makers' text, float64 [characters]."""
    graph = open_graph(version / "model.onnx")
    return symbol_logprobs(graph, [graph.vocabulary.encode(TEXT)])[0]
