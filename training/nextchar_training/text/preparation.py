"""Reads the text of a run, cuts it into parts and builds its vocabulary."""

from typing import Any

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus, load_corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split, given_split, split_corpus, split_digest
from nextchar_training.text.vocabulary import build_vocabulary


def read_text(config: TextConfig, *, window: int = 1) -> tuple[Corpus, Split]:
    """Reads the corpus of a run and cuts it into parts, of which the training part is longer than a window.

    Raises:
        CorpusError: as `load_corpus` and `split_corpus`.
    """
    corpus = load(config.corpus, config)
    return corpus, cut(corpus, config, window=window)


def load(name_or_path: str, config: TextConfig) -> Corpus:
    """Loads a text as the options say.

    Raises:
        CorpusError: as `load_corpus`.
    """
    return load_corpus(
        name_or_path,
        symbols=config.symbols,
        normalization=config.normalization,
        case_folding=config.case_folding,
        pattern=config.pattern,
        layout=config.layout,
    )


def cut(corpus: Corpus, config: TextConfig, *, window: int) -> Split:
    """Cuts a corpus as the options say; parts that are files of their own are loaded.

    Raises:
        CorpusError: as `load_corpus` and `split_corpus`.
    """
    if config.heldout_file is not None:
        development = load(config.development_file, config) if config.development_file else None
        return given_split(corpus, development, load(config.heldout_file, config), unit=config.unit)
    return split_corpus(
        corpus,
        unit=config.unit,
        heldout=config.heldout,
        development=config.development,
        window=window,
        by=config.split,
    )


def vocabulary_of(split: Split, config: TextConfig) -> Vocabulary:
    """Builds the vocabulary of a run from its training part.

    Raises:
        CorpusError: as `build_vocabulary`.
    """
    return build_vocabulary(
        split,
        min_count=config.min_count,
        unknown=config.unknown,
        normalization=config.normalization,
        case_folding=config.case_folding,
        symbols=config.symbols,
    )


def check_same(corpus: Corpus, split: Split, recorded: dict[str, Any]) -> None:
    """Checks that a text and its parts are those recorded with a run.

    Raises:
        CorpusError: the text or its split differs.
    """
    if corpus.sha256 != recorded["corpus_sha256"]:
        raise CorpusError(
            f"the corpus {corpus.name!r} has changed since the run was started: restore it, or start another "
            "run",
            param="corpus",
        )
    if split_digest(split) != recorded["split_sha256"]:
        raise CorpusError(
            f"the corpus {corpus.name!r} is cut into other parts than when the run was started ("
            f"{recorded['split']}): a file of its held-out or development part has changed, or this version "
            "cuts otherwise; restore the file, or start another run",
            param="corpus",
        )
