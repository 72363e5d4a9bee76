"""Reads the text of a run, cuts it into parts and builds its vocabulary."""

from typing import Any

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus, load_corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split, given_split, split_corpus, split_digest
from nextchar_training.text.vocabulary import build_vocabulary


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
