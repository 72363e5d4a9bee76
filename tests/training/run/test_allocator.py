"""What a step frees is there for the next step: the kernel is not asked again."""

import ctypes
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys, torch
from nextchar_training.run.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = lambda: torch.zeros(64 * 2**20, dtype=torch.uint8)
for _ in range(32):
    block()  # the heap grows until a block fits between what else lives there
before = faults()
for _ in range(8):
    block()
print(faults() - before)
"""
_PAGES = 64 * 2**20 // 4096


def _faults(how: str) -> int:
    command = [sys.executable, "-c", _FAULTS, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_a_freed_block_is_used_again_without_new_pages() -> None:
    assert _faults("kept") < _PAGES / 4


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_nothing_is_kept_unasked() -> None:
    """The figures of a plain loop stand for a process that nobody set up."""
    assert _faults("default") > _PAGES / 4
