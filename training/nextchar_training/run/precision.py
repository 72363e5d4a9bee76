"""Whether this processor multiplies bfloat16 faster than float32: measured, names of features do not tell."""

import time

import torch

_ROUNDS = 5
_SHAPE = (32, 512, 2048)  # a recurrent product of the reference network


def bf16_gain() -> float:
    """How many times as fast a product in bfloat16 is; takes some milliseconds."""
    return _seconds(torch.float32) / _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    """The quickest of some products; the first, which prepares the kernel, is not counted."""
    rows, inner, columns = _SHAPE
    a, b = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    seen = []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        torch.mm(a, b)
        seen.append(time.perf_counter() - started)
    return min(seen[1:])
