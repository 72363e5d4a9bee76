import math
import random

from nextchar_training.measure.compressors import compressed_nats
from nextchar_training.text.code_points import Text


def _random_text(num_chars: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("abcd", k=num_chars))


def test_random_text_costs_its_entropy_and_seen_text_less() -> None:
    before, new = _random_text(20_000, seed=0), _random_text(20_000, seed=1)
    unseen = compressed_nats(Text.of(before), Text.of(new), "characters")
    seen = compressed_nats(Text.of(before), Text.of(before), "characters")
    for name in unseen:
        assert math.log(4) * 0.95 < unseen[name] / 20_000 < math.log(4) * 1.35, name
        assert seen[name] < unseen[name] * 0.9, name


def test_bytes_are_compressed_as_they_are() -> None:
    text = Text.of("".join(random.Random(2).choices("abcdefghéèê", k=9000)))
    as_bytes, as_utf8 = (compressed_nats(Text.of("x"), text, kind) for kind in ("bytes", "characters"))
    assert as_bytes.keys() == as_utf8.keys() == {"zlib-9", "bzip2-9", "xz-9"}
    assert all(0 < as_bytes[name] < as_utf8[name] for name in as_bytes)
