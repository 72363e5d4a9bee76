"""Measures whether this processor multiplies bfloat16 faster than float32, which its flags do not show."""

import time

import torch

_ROUNDS = 5
_SHAPE = (32, 512, 2048)  # a recurrent product of the reference network


def bf16_gain() -> float:
    """Returns how many times as fast a product is in bfloat16; takes some milliseconds."""
    return _seconds(torch.float32) / _seconds(torch.bfloat16)


def _seconds(dtype: torch.dtype) -> float:
    """Returns the seconds of the fastest of some products, without the first, which prepares the kernel."""
    rows, inner, columns = _SHAPE
    a, b = torch.ones(rows, inner, dtype=dtype), torch.ones(inner, columns, dtype=dtype)
    seen = []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        torch.mm(a, b)
        seen.append(time.perf_counter() - started)
    return min(seen[1:])
