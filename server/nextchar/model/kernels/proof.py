"""Proves that two sessions of one step graph compute the same bits, on random rows of several batch sizes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.runtime import ort
from nextchar.model.vocabulary import Vocabulary

_BATCH_SIZES = (1, 5, 64)
_NUM_STEPS = 3
_SEED = 29


def first_difference(
    plain: ort.InferenceSession, fused: ort.InferenceSession, vocabulary: Vocabulary
) -> str | None:
    """Returns where the outputs of two sessions differ on the same rows; None if they nowhere do."""
    rng = np.random.default_rng(_SEED)
    names = [output.name for output in plain.get_outputs()]
    for num_rows in _BATCH_SIZES:
        feed = _random_rows(plain, vocabulary, num_rows, rng)
        for name, expected, found in zip(names, plain.run(names, feed), fused.run(names, feed), strict=True):
            if expected.shape != found.shape or expected.tobytes() != found.tobytes():
                return f"{name} of {num_rows} rows"
    return None


def _random_rows(
    session: ort.InferenceSession, vocabulary: Vocabulary, num_rows: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Makes the inputs of a call of some steps: half of the symbols are given, the others are drawn."""
    shape = (_NUM_STEPS, num_rows)
    given = rng.integers(0, vocabulary.num_outputs, shape)
    feed: dict[str, NDArray[Any]] = {
        "num_steps": np.array(_NUM_STEPS, dtype=np.int64),
        "ids": rng.integers(0, vocabulary.num_inputs, num_rows),
        "given": np.where(rng.random(shape) < 0.5, given, -1),
        "uniforms": rng.random(shape),
        "inverse_temperature": rng.uniform(0.5, 2, num_rows).astype(np.float32),
    }
    states = [value for value in session.get_inputs() if value.name not in feed]
    return feed | {s.name: _random_state(s.type, (num_rows, s.shape[-1]), rng) for s in states}


def _random_state(type_name: str, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """Makes states of all sizes: uint8 of the whole range, float32 from small to far beyond tanh's ends."""
    if type_name == "tensor(uint8)":
        return rng.integers(0, 256, shape).astype(np.uint8)
    return (rng.normal(size=shape) * 10 ** rng.uniform(-4, 2, shape)).astype(np.float32)
