"""What work takes, by formula: docs/performance.md, held by tests/server/test_memory.py within a fifth."""

from nextchar.engine.lane_arrays import CHUNK, MAX_TOP

STRING_BYTES, STRING_CHAR_BYTES = 126, 44  # of one that waits: itself and a branch, and each character
_CHUNK_BYTES = CHUNK * (3 * 8 + MAX_TOP * 8)


def lane_bytes(state_bytes: int, num_outputs: int) -> int:
    """A row for live requests and completions; most of it is touched only by completions with logprobs."""
    return _CHUNK_BYTES + 2 * state_bytes + 22 * num_outputs + 1000


def bulk_lane_bytes(state_bytes: int, num_outputs: int) -> int:
    """A row for bulk scoring."""
    return 2 * state_bytes + 4 * num_outputs + 450
