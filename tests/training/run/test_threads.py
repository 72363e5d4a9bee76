"""A run has the threads that the environment says, else one per core that it may use."""

import pytest

from nextchar_training.run import threads
from nextchar_training.run.threads import usual_num_threads


@pytest.mark.parametrize(
    ("said", "expected"), [("3", 3), ("2,1", 2), (" 1 ", 1), ("0", 5), ("many", 5), ("", 5), (None, 5)]
)
def test_omp_num_threads_is_obeyed_if_it_is_a_number(
    monkeypatch: pytest.MonkeyPatch, said: str | None, expected: int
) -> None:
    monkeypatch.setattr(threads, "num_cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert usual_num_threads() == expected
