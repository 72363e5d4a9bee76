"""The text of a run, and its batches."""

from typing import Any

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import Batches
from nextchar_training.batches.line_batches import LineBatches
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.batches.streams import TextStreams
from nextchar_training.config import TextConfig, TrainingConfig
from nextchar_training.run.provenance import split_digest
from nextchar_training.text.corpus import Corpus, load_corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split, given_split, split_corpus
from nextchar_training.text.vocabulary import build_vocabulary, encode

# What back-propagation keeps of a unit for every character: gates, states and masks, in float32.
_BYTES_A_UNIT = 64
_MAX_BYTES = 4 << 30


def read_text(config: TextConfig, *, window: int = 1) -> tuple[Corpus, Split]:
    """The corpus of a run, and its parts, of which training is longer than a window.

    Raises:
        CorpusError: as `load_corpus` and `split_corpus`.
    """

    def load(path: str) -> Corpus:
        return load_corpus(
            path,
            symbols=config.symbols,
            normalization=config.normalization,
            pattern=config.pattern,
            layout=config.layout,
        )

    corpus = load(config.corpus)
    if config.heldout_file is not None:
        development = load(config.development_file) if config.development_file else None
        return corpus, given_split(corpus, development, load(config.heldout_file), unit=config.unit)
    split = split_corpus(
        corpus,
        unit=config.unit,
        heldout=config.heldout,
        development=config.development,
        window=window,
        by=config.split,
    )
    return corpus, split


def vocabulary_of(split: Split, config: TextConfig) -> Vocabulary:
    """The characters of a run's training part.

    Raises:
        CorpusError: as `build_vocabulary`.
    """
    return build_vocabulary(
        split,
        min_count=config.min_count,
        unknown=config.unknown,
        normalization=config.normalization,
        symbols=config.symbols,
    )


def check_same(corpus: Corpus, split: Split, recorded: dict[str, Any]) -> None:
    """Hold a text and its parts against the facts recorded of a run.

    Raises:
        CorpusError: it is another text, or cut in another way.
    """
    if corpus.sha256 != recorded["corpus_sha256"] or split_digest(split) != recorded["split_sha256"]:
        raise CorpusError(f"the corpus {corpus.name!r} has changed since the run was started", param="corpus")


def make_batches(split: Split, vocabulary: Vocabulary, config: TrainingConfig) -> Batches:
    """An endless, resumable source of training batches from the training part."""
    if split.unit == "line":
        return LineBatches(
            EncodedLines(split.train, vocabulary),
            unknown_id=vocabulary.unknown_id,
            max_symbols=config.batch_size * config.window,
            seed=config.seed,
        )
    ids = encode(vocabulary, split.train)
    newline = vocabulary.characters.index("\n") if "\n" in vocabulary.characters else None
    return TextStreams(
        ids,
        vocabulary,
        newline_id=newline,
        document_starts=split.document_starts,
        batch_size=config.batch_size,
        window=full_window(config, len(ids)),
        seed=config.seed,
    )


def full_window(config: TrainingConfig, num_chars: int) -> int:
    """The window of running text; all of a stream where it is 0.

    Raises:
        CorpusError: so long a window would not fit into memory.
    """
    if config.window:
        return config.window
    window = num_chars // config.batch_size
    wanted = window * config.batch_size * config.hidden_size * config.num_layers * _BYTES_A_UNIT
    if wanted > _MAX_BYTES:
        raise CorpusError(
            f"--window full is {window:,} characters of {config.batch_size} streams here, about "
            f"{wanted / 2**30:.0f} GiB; the limit is {_MAX_BYTES >> 30}: give a number",
            param="window",
        )
    return window
