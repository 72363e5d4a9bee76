"""The two graphs of the model that the documentation shows."""

from pathlib import Path

import pytest

from nextchar.model.graph import ModelGraph, open_graph

_FOLDER = Path(__file__).parents[2] / "models" / "shakespeare" / "1"


@pytest.fixture(scope="session")
def sequence() -> ModelGraph:
    return open_graph(_FOLDER / "model.onnx")


@pytest.fixture(scope="session")
def step() -> ModelGraph:
    return open_graph(_FOLDER / "step-int8.onnx")
