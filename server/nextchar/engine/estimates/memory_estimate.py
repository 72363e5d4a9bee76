"""Estimates the memory of rows and queued strings by formula.

docs/performance.md has the formulas; tests/engine/estimates/test_memory_estimate.py checks them to within
a fifth.
"""

from nextchar.engine.lane_arrays import CHUNK, MAX_TOP

# Bytes of a string that waits: of itself and a branch of the trie, and of each of its characters.
STRING_BYTES, STRING_CHAR_BYTES = 126, 44
_CHUNK_BYTES = CHUNK * (3 * 8 + MAX_TOP * 8)


def lane_bytes(state_bytes: int, num_outputs: int) -> int:
    """Returns the bytes of a row for interactive requests and completions.

    Most of it is touched only by completions with logprobs.
    """
    return _CHUNK_BYTES + 2 * state_bytes + 22 * num_outputs + 1000


def bulk_lane_bytes(state_bytes: int, num_outputs: int) -> int:
    """Returns the bytes of a row for bulk scoring."""
    return 2 * state_bytes + 4 * num_outputs + 450
