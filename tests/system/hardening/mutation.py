"""Damaged copies of sound inputs, the same for the same seed; for runs that have no atheris."""

import random
from collections.abc import Iterator, Sequence

_TOKENS = (
    b"\0",
    b"\xff" * 8,
    b"\x80" * 10,
    b"{",
    b"[" * 50,
    b'"',
    b"\\u0000",
    b"1e999",
    b"-1",
    b"null",
    b"\n",
)


def mutated(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many inputs."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            _damage(data, rng, seeds)
        yield bytes(data)


def _damage(data: bytearray, rng: random.Random, seeds: Sequence[bytes]) -> None:
    at = rng.randint(0, len(data))
    match rng.randrange(6):
        case 0 if at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        case 1:
            data[at:at] = rng.choice(_TOKENS)
        case 2:
            del data[at : at + rng.randint(1, 16)]
        case 3:
            other = rng.choice(seeds)
            cut = rng.randint(0, len(other))
            data[at:] = other[cut:]
        case 4 if at < len(data):
            data[at] = rng.randrange(256)
        case _:
            data[at : at + 8] = rng.randbytes(rng.randint(0, 8))
