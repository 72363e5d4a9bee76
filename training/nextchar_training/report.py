"""The held-out figures of a finished run, the network's beside the n-gram's."""

import math
from typing import Any

from nextchar.modelfile import Quality
from nextchar.vocabulary import Vocabulary
from nextchar_training.evaluation import WARM_CHARS, stream_loss, window_loss
from nextchar_training.model import CharRNN
from nextchar_training.split import Split


def final_quality(split: Split, vocabulary: Vocabulary, model: CharRNN) -> list[dict[str, Any]]:
    """Quality entries, as plain values, of the network on the held-out part."""
    ids = vocabulary.encode(split.heldout)
    before = vocabulary.encode(split.before_heldout[-WARM_CHARS:])
    stream = stream_loss(model, ids, before=before)
    window = window_loss(model, ids)
    return [
        _quality("network", "stream", stream, len(ids)),
        _quality("network", "window-256", window, len(ids) - 1),
    ]


def _quality(name: str, protocol: str, nats: float, num_chars: int) -> dict[str, Any]:
    entry = Quality(
        name=name,
        protocol=protocol,
        nats_per_char=nats,
        bits_per_char=nats / math.log(2),
        num_chars=num_chars,
    )
    return entry.model_dump()
