"""Trains an n-gram model (`nextchar train --cell ngram`): the baseline as a run of its own."""

import math
from pathlib import Path

import numpy as np

from nextchar.model.card import Quality
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure.arpa import write_arpa
from nextchar_training.measure.figures import ORDER, compressor_quality, fit_ngram, ngram_quality
from nextchar_training.measure.kneser_ney import KneserNey
from nextchar_training.option import describe_options
from nextchar_training.page.run_page import write_report
from nextchar_training.page.surprise import NUM_CHARS, Surprise
from nextchar_training.run.provenance import describe_text
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.preparation import vocabulary_of
from nextchar_training.text.split import Split
from nextchar_training.text.vocabulary import encode

FILE_NAME = "ngram.arpa"


def train_ngram(
    folder: Path, text: tuple[Corpus, Split], config: TextConfig, command: str, *, order: int = ORDER
) -> tuple[list[Quality], Path]:
    """Fits the model to all that is not held out; writes `ngram.arpa` and the report; returns the held-out
    losses and the report's path. `text` is what the options of the text name.

    Raises:
        CorpusError: as `vocabulary_of`.
    """
    corpus, split = text
    vocabulary = vocabulary_of(split, config)
    model = fit_ngram(split, vocabulary, order=order)
    quality = ngram_quality(model, split, vocabulary, name=f"kneser-ney-{order}")
    quality += compressor_quality(split, vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE_NAME).open("w", encoding="utf-8") as file:
        write_arpa(model, vocabulary, file)
    page = write_report(
        folder,
        title=f"nextchar: {folder.name}",
        facts=describe_text(corpus, split, command) | {"order": order},
        settings=describe_options(config),
        rows=[],
        samples=[],
        quality=quality,
        surprise=_surprise(model, vocabulary, split),
    )
    return quality, page


def _surprise(model: KneserNey, vocabulary: Vocabulary, split: Split) -> Surprise:
    text = split.heldout[:NUM_CHARS]
    if split.unit == "line":
        ids = EncodedLines(text, vocabulary).sequence()
        logprobs = model.logprobs(ids)
    else:
        ids = encode(vocabulary, text).astype(np.int64)
        logprobs = model.logprobs(ids, encode(vocabulary, split.before_heldout(model.order)).astype(np.int64))
    found = Surprise()
    for symbol_id, logprob in zip(ids.tolist(), logprobs.tolist(), strict=True):
        if symbol_id != vocabulary.begin_id:
            found.add(vocabulary, symbol_id, -logprob / math.log(2))
    return found
