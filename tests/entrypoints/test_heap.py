"""What a large request has allocated goes back to the system when it is answered."""

import subprocess
import sys

import pytest

_PROGRAM = """
import os
import sys
from nextchar.entrypoints.machine import give_freed_memory_back

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if sys.argv[1] == "fixed":
    assert give_freed_memory_back()
before = resident()
bytearray(30 << 20)  # once freed, it would make blocks up to its size parts of the heap
large, small = [], []
for _ in range(100):  # as the lists of a request, and what is kept of other ones meanwhile
    large.append(bytearray(1 << 20))
    small.append(bytes(2000))
del large
print(resident() - before)
"""


_FRAGMENTS = """
import os
import sys
from nextchar.entrypoints.machine import trim

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

before = resident()
blocks = [bytes(2000) for _ in range(50_000)]
blocks = blocks[::50] + blocks[-1:]  # the last one holds the heap up
if sys.argv[1] == "trimmed":
    assert trim()
print(resident() - before)
"""


def _left(how: str, program: str = _PROGRAM) -> int:
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_freed_lists_go_back_to_the_system() -> None:
    assert _left("fixed") < 20 << 20
    assert _left("as it is") > 80 << 20  # else this test shows nothing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_lies_free_between_blocks_in_use_goes_back_to_the_system() -> None:
    assert _left("trimmed", _FRAGMENTS) < 30 << 20
    assert _left("as it is", _FRAGMENTS) > 60 << 20  # else this test shows nothing
