"""A thousand held-out lines score the same by every graph of the shipped model."""

import math
from pathlib import Path

import numpy as np
import pytest

from nextchar.model.golden import score_strings, symbol_logprobs
from nextchar.model.graph import ModelGraph, open_graph
from nextchar_training.text.heldout import heldout_split

FOLDER = Path(__file__).parents[3] / "models" / "shakespeare" / "1"
NUM_LINES = 1000


@pytest.fixture(scope="module")
def lines(sequence: ModelGraph) -> list[str]:
    found = [line for line in str(heldout_split(sequence.card).heldout).split("\n") if line][:NUM_LINES]
    assert len(found) == NUM_LINES
    return found


def test_a_thousand_held_out_lines_score_the_same_by_both_graphs(
    sequence: ModelGraph, step: ModelGraph, lines: list[str]
) -> None:
    ids = [step.vocabulary.encode(line) for line in lines]
    num_chars = sum(map(len, ids))
    float32 = math.fsum(score_strings(sequence, ids))
    int8 = math.fsum(score_strings(step, ids))
    difference = (float32 - int8) / num_chars
    assert abs(difference) <= 0.003


def test_a_thousand_held_out_lines_score_the_same_in_float32(sequence: ModelGraph, lines: list[str]) -> None:
    step = open_graph(FOLDER / "step-float32.onnx")
    ids = [step.vocabulary.encode(line) for line in lines]
    expected, found = symbol_logprobs(sequence, ids), symbol_logprobs(step, ids)
    differences = [abs(a.sum() - b.sum()) / len(a) for a, b in zip(expected, found, strict=True)]
    assert max(differences) <= 1e-4
    assert np.abs(np.concatenate(expected) - np.concatenate(found)).max() <= 1e-4
