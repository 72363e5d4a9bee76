"""The held-out figures of a finished run, the network's beside the n-gram's."""

import math

from nextchar.modelfile import Quality
from nextchar.vocabulary import Vocabulary
from nextchar_training.evaluation import WARM_CHARS, line_loss, stream_loss, window_loss
from nextchar_training.lines import EncodedLines
from nextchar_training.model import CharRNN
from nextchar_training.ngram import KneserNey
from nextchar_training.split import Split

NETWORK, NGRAM = "network", "kneser-ney-7"
_ORDER = 7


def final_quality(split: Split, vocabulary: Vocabulary, model: CharRNN) -> list[Quality]:
    """The held-out losses of the network under each protocol of its unit, and of the 7-gram.

    The n-gram needs no development part and is fitted on all text before the held-out part.
    """
    if split.unit == "line":
        lines = EncodedLines(split.heldout, vocabulary)
        return [
            _quality(NETWORK, "line", line_loss(model, lines), lines.num_symbols),
            _quality(NGRAM, "line", _line_ngram_loss(split, vocabulary, lines), lines.num_symbols),
        ]
    before, ids = vocabulary.encode(split.before_heldout), vocabulary.encode(split.heldout)
    ngram = KneserNey.fit(before, order=_ORDER, num_symbols=vocabulary.num_outputs)
    stream = stream_loss(model, ids, before=before[-WARM_CHARS:])
    return [
        _quality(NETWORK, "stream", stream, len(ids)),
        _quality(NETWORK, "window-256", window_loss(model, ids), len(ids) - 1),
        _quality(NGRAM, "stream", -float(ngram.logprobs(ids, before).mean()), len(ids)),
    ]


def describe_quality(quality: list[Quality]) -> list[str]:
    """One line a figure, and one that says so if the network loses to the n-gram."""
    lines = [
        f"held out: {entry.name:12} {entry.protocol:10} {entry.nats_per_char:.4f} nats, "
        f"{entry.bits_per_char:.4f} bits per character ({entry.num_chars:,} characters)"
        for entry in quality
    ]
    ngram = next((entry for entry in quality if entry.name == NGRAM), None)
    if ngram is None:
        return [*lines, "the run is not finished: there are no figures beside the n-gram's yet"]
    network = next(e for e in quality if e.name == NETWORK and e.protocol == ngram.protocol)
    loss = network.nats_per_char - ngram.nats_per_char
    if loss > 0:
        lines.append(
            f"the network LOSES to the {_ORDER}-gram by {loss:.4f} nats: train longer, or use the n-gram"
        )
    return lines


def _line_ngram_loss(split: Split, vocabulary: Vocabulary, heldout: EncodedLines) -> float:
    before = EncodedLines(f"{split.train}\n{split.development}", vocabulary)
    ngram = KneserNey.fit(
        before.sequence(), order=_ORDER, num_symbols=vocabulary.num_outputs, begin_id=vocabulary.begin_id
    )
    return -float(ngram.logprobs(heldout.sequence()).sum()) / heldout.num_symbols


def _quality(name: str, protocol: str, nats: float, num_chars: int) -> Quality:
    return Quality(
        name=name,
        protocol=protocol,
        nats_per_char=nats,
        bits_per_char=nats / math.log(2),
        num_chars=num_chars,
    )
