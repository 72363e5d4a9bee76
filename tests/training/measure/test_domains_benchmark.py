"""The figures of the benchmark of domains rest on these."""

import numpy as np
import pytest
from benchmarks.quality.domains import _KINDS, area_under_roc

_REAL = [f"example{k}.com" for k in range(300)]


def test_the_area_is_the_chance_that_a_made_up_name_has_more() -> None:
    draw = np.random.default_rng(0)
    real, made = draw.integers(0, 9, 50).astype(float), draw.integers(3, 12, 70).astype(float)
    pairs = [(m > r) + (m == r) / 2 for r in real for m in made]
    assert area_under_roc(real, made) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("kind", _KINDS)
def test_made_up_names_are_new_and_the_same_every_time(kind: str) -> None:
    names = _KINDS[kind](_REAL, set(_REAL))
    assert len(names) == len(_REAL)
    assert set(names).isdisjoint(_REAL)
    assert all(name.endswith(".com") and len(name) > len(".com") for name in names)
    assert names == _KINDS[kind](_REAL, set(_REAL))
