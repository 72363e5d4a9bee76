"""What a step frees is kept for the next one: glibc is told so, and it is said whether it agreed.

What that saves is measured by benchmarks/training/speed.py.
"""

import ctypes
from types import SimpleNamespace

import pytest
from support.replacing import replace_in

from nextchar_training.run import allocator
from nextchar_training.run.allocator import keep_freed_memory

# From malloc.h of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@pytest.mark.parametrize("refused", [None, _M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD])
def test_both_thresholds_are_raised_and_a_refusal_is_told(
    monkeypatch: pytest.MonkeyPatch, refused: int | None
) -> None:
    seen: dict[int, int] = {}

    def mallopt(option: int, value: int) -> int:
        seen[option] = value
        return int(option != refused)

    replace_in(monkeypatch, allocator, "ctypes", CDLL=lambda _name: SimpleNamespace(mallopt=mallopt))
    assert keep_freed_memory() == (refused is None)
    assert set(seen.values()) == {2**30}
    if refused is None:
        assert set(seen) == {_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD}


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_in(monkeypatch, allocator, "ctypes", CDLL=lambda _name: SimpleNamespace())
    assert not keep_freed_memory()


def test_the_c_library_of_this_process_is_asked() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    agreed = mallopt is not None and all(mallopt(k, 2**30) for k in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD))
    assert keep_freed_memory() == agreed
