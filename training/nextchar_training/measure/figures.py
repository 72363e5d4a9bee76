"""Measures the held-out losses of a finished run, the network's beside the baselines'."""

import math

from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.compressors import compressed_nats
from nextchar_training.measure.kneser_ney import KneserNey
from nextchar_training.measure.protocols import WARM_CHARS, line_loss, stream_loss, window_loss
from nextchar_training.network.network import CharRNN
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

NETWORK, NGRAM = "network", "kneser-ney-7"
ORDER = 7
# Larger texts are not read whole: baselines are fitted on the end of the text before the held-out part, and
# losses are measured on the start of the held-out part.
MAX_BEFORE_CHARS, MAX_HELDOUT_CHARS = 20_000_000, 5_000_000


def final_quality(split: Split, vocabulary: Vocabulary, model: CharRNN) -> list[Quality]:
    """Measures the held-out losses of the network under each protocol of its unit."""
    heldout = split.heldout[:MAX_HELDOUT_CHARS]
    if split.unit == "line":
        lines = EncodedLines(heldout, vocabulary)
        count = lines.num_symbols
        return [make_quality(NETWORK, "line", line_loss(model, lines) * count, count)]
    ids, before = encode(vocabulary, heldout), encode(vocabulary, split.before_heldout(WARM_CHARS))
    return [
        make_quality(NETWORK, "stream", stream_loss(model, ids, before=before) * len(ids), len(ids)),
        make_quality(NETWORK, "window-256", window_loss(model, ids) * (len(ids) - 1), len(ids) - 1),
    ]


def baseline_quality(split: Split, vocabulary: Vocabulary) -> list[Quality]:
    """Measures the held-out losses of the 7-gram and the compressors, which need no development part.

    They read all text before the held-out part, or the end of it.
    """
    ngram = fit_ngram(split, vocabulary)
    return ngram_quality(ngram, split, vocabulary, name=NGRAM) + compressor_quality(split, vocabulary)


def compressor_quality(split: Split, vocabulary: Vocabulary) -> list[Quality]:
    """Measures the nats per character of the standard library's compressors (per symbol for lines)."""
    heldout = split.heldout[:MAX_HELDOUT_CHARS]
    line = split.unit == "line"
    protocol, count = "line" if line else "stream", len(heldout) + line  # every line ends with a symbol
    packed = compressed_nats(split.before_heldout(MAX_BEFORE_CHARS), heldout, vocabulary.symbols)
    return [make_quality(name, protocol, nats, count) for name, nats in packed.items()]


def ngram_quality(
    ngram: KneserNey, split: Split, vocabulary: Vocabulary, *, name: str, window: int = 256
) -> list[Quality]:
    """Measures the held-out losses of an n-gram model under each protocol of its unit."""
    heldout = split.heldout[:MAX_HELDOUT_CHARS]
    if split.unit == "line":
        lines = EncodedLines(heldout, vocabulary)
        nats = -float(ngram.logprobs(lines.sequence()).sum())
        return [make_quality(name, "line", nats, lines.num_symbols)]
    ids, before = encode(vocabulary, heldout), encode(vocabulary, split.before_heldout(ngram.order))
    stream = -float(ngram.logprobs(ids, before).sum())
    starts = range(0, len(ids) - 1, window)
    cold = math.fsum(-ngram.logprobs(ids[k + 1 :][:window], ids[k : k + 1]).sum() for k in starts)
    return [
        make_quality(name, "stream", stream, len(ids)),
        make_quality(name, "window-256", cold, len(ids) - 1),
    ]


def fit_ngram(split: Split, vocabulary: Vocabulary, *, order: int = ORDER) -> KneserNey:
    """Fits an n-gram model to all text before the held-out part, or the end of it."""
    before = split.before_heldout(MAX_BEFORE_CHARS)
    if split.unit == "line":
        ids, begin_id = EncodedLines(before, vocabulary).sequence(), vocabulary.begin_id
        return KneserNey.fit(ids, order=order, num_symbols=vocabulary.num_outputs, begin_id=begin_id)
    return KneserNey.fit(encode(vocabulary, before), order=order, num_symbols=vocabulary.num_outputs)


def describe_quality(quality: list[Quality]) -> list[str]:
    """Describes each loss in a line, and says whether the network beats or loses to the n-gram model."""
    lines = [describe_figure(entry) for entry in quality]
    ngram = next((entry for entry in quality if entry.name == NGRAM), None)
    if ngram is None:
        return [*lines, "the run is not finished: its held-out losses are not measured yet"]
    network = next((e for e in quality if e.name == NETWORK and e.protocol == ngram.protocol), ngram)
    loss = network.nats_per_char - ngram.nats_per_char
    if loss > 0:
        lines.append(
            f"the network LOSES to the {ORDER}-gram by {loss:.4f} nats per character: train another "
            "run with more --epochs or --max-minutes, or count an n-gram with --cell ngram"
        )
    elif loss < 0:
        lines.append(f"the network beats the {ORDER}-gram by {-loss:.4f} nats per character")
    return lines


def describe_figure(entry: Quality) -> str:
    """Describes a held-out loss in one line."""
    return (
        f"held out: {entry.name:12} {entry.protocol:10} {entry.nats_per_char:.4f} nats, "
        f"{entry.bits_per_char:.4f} bits per character ({entry.num_chars:,} characters)"
    )


def make_quality(name: str, protocol: str, nats: float, num_chars: int) -> Quality:
    """Makes an entry of a card from the nats of a whole text."""
    return Quality(
        name=name,
        protocol=protocol,
        nats_per_char=nats / num_chars,
        bits_per_char=nats / num_chars / math.log(2),
        num_chars=num_chars,
    )
