"""Reads the text that a model file is evaluated on: what its model was not trained on."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar_training.option import OptionField, option_fields, recorded_path
from nextchar_training.text.config import TextConfig
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.named import NAMED
from nextchar_training.text.preparation import cut, load
from nextchar_training.text.split import Split, given_split, split_corpus, split_digest
from nextchar_training.text.vocabulary import check_readable

RECORD = "text_options"  # its name in a card's provenance
# The vocabulary of a card holds the other options of its text.
_RECORDED = (
    "pattern",
    "layout",
    "split",
    "heldout",
    "development",
    "heldout_file",
    "development_file",
)


def text_record(config: TextConfig) -> dict[str, Any]:
    """Returns how a text was read and cut for training, for the card; of files, the names only."""
    values = {field.name: (field, getattr(config, field.name)) for field in _recorded_fields()}
    return {
        name: recorded_path(value) if field.option.is_path and value is not None else value
        for name, (field, value) in values.items()
    }


def heldout_split(
    card: Card,
    corpus: str | None = None,
    heldout: float | None = None,
    heldout_file: str | None = None,
    development_file: str | None = None,
) -> Split:
    """Reads a text as the model's own was read, and cuts the model's own as it was cut for training.

    `heldout` is a share or number as of `split_corpus`: of the model's own text at most what was held out for
    training, which is the default; of another text its end, a tenth by default. `heldout_file` is held out as
    a whole, after `corpus` and `development_file` if they are given.

    Raises:
        InvalidRequest: no text is given, and the model's own is not a named corpus or has changed; or the
            text cannot be cut as for training, or not without holding out what was trained on.
        CorpusError: as `load_corpus` and `split_corpus`; or the model cannot read a character.
    """
    split = _split(card, _config(card), corpus, heldout, heldout_file, development_file)
    check_readable(split, card.make_vocabulary())
    return split


def _split(
    card: Card,
    config: TextConfig,
    corpus: str | None,
    heldout: float | None,
    heldout_file: str | None,
    development_file: str | None,
) -> Split:
    if heldout_file is not None:
        return _given(config, corpus, development_file, heldout_file)
    if development_file is not None:
        raise InvalidRequest("--development-file needs --heldout-file: give both", param="development_file")
    text = load(corpus or _trained_on(card), config)
    if text.sha256 == card.provenance.get("corpus_sha256"):
        own = _own(card, config, text)
        return own if heldout is None else _smaller(config, text, own, heldout)
    if corpus is None:
        raise InvalidRequest(
            f"the corpus {text.name!r} is not the one this model was trained on: its SHA-256 differs; give "
            "--corpus"
        )
    return _end(text, config, TextConfig.heldout if heldout is None else heldout)


def _config(card: Card) -> TextConfig:
    """Returns the options of the text that a model was trained on; its corpus is only a name."""
    vocabulary, known = card.vocabulary, {field.name for field in _recorded_fields()}
    recorded = card.provenance.get(RECORD)
    if recorded is None:  # a card from before it was recorded
        recorded = dict(_of_command(str(card.provenance.get("command", ""))))
    return TextConfig(
        corpus=str(card.provenance.get("corpus", "")),
        unit=vocabulary.unit,
        symbols=vocabulary.symbols,
        normalization=vocabulary.normalization,
        case_folding=vocabulary.case_folding,
        **{name: value for name, value in recorded.items() if name in known},
    )


def _recorded_fields() -> Iterator[OptionField]:
    return (field for field in option_fields(TextConfig) if field.name in _RECORDED)


def _of_command(command: str) -> Iterator[tuple[str, Any]]:
    """Yields the options of the text in a recorded command line of `nextchar train`."""
    given = dict(pairwise(shlex.split(command)))
    for field in _recorded_fields():
        if field.flag in given:
            yield field.name, float(given[field.flag]) if field.type is float else given[field.flag]


def _trained_on(card: Card) -> str:
    name = str(card.provenance.get("corpus", ""))
    if name not in NAMED or str(card.provenance.get("corpus_source")).startswith(("file ", "folder ")):
        raise InvalidRequest(
            f"this model was trained on a file ({name!r}), not on a named corpus: give --corpus",
            param="corpus",
        )
    return name


def _own(card: Card, config: TextConfig, text: Corpus) -> Split:
    """Cuts the model's own text as for training."""
    if config.heldout_file is not None:
        raise InvalidRequest(
            f"this model was trained with --heldout-file {config.heldout_file}: give that file too",
            param="heldout_file",
        )
    split = cut(text, config, window=-1)
    recorded = card.provenance.get("split_sha256")
    if recorded is not None and split_digest(split) != recorded:
        raise InvalidRequest(
            f"the corpus {text.name!r} cannot be cut as for training ({card.provenance.get('split')}): the "
            "card does not say how, or this version cuts otherwise; give what was held out as --heldout-file"
        )
    return split


def _smaller(config: TextConfig, text: Corpus, own: Split, heldout: float) -> Split:
    """Cuts the model's own text so that another part is held out, which was not trained on either."""
    split = cut(text, replace(config, heldout=heldout, development=0), window=-1)
    if len(split.heldout) > len(own.heldout):
        raise InvalidRequest(
            f"--heldout {heldout:g} is {len(split.heldout):,} characters, more than the {len(own.heldout):,} "
            f"that were held out from training: give at most {config.heldout:g}",
            param="heldout",
        )
    return split


def _given(config: TextConfig, corpus: str | None, development_file: str | None, heldout_file: str) -> Split:
    """Makes a split of texts of their own, of which only the held-out one must be given."""
    heldout = load(heldout_file, config)
    if corpus is None:
        return split_corpus(heldout, unit=config.unit, heldout=len(heldout.text), development=0, window=-1)
    if config.development_file is not None and development_file is None:
        raise InvalidRequest(
            f"this model was trained with --development-file {config.development_file}: give that file too, "
            "or leave out --corpus",
            param="development_file",
        )
    development = load(development_file, config) if development_file else None
    return given_split(load(corpus, config), development, heldout, unit=config.unit)


def _end(text: Corpus, config: TextConfig, heldout: float) -> Split:
    split = split_corpus(text, unit=config.unit, heldout=heldout, development=0, window=-1)
    return replace(split, description=f"not the text of the training; {split.description}")
