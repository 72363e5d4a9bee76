"""The text that a command reads beside an exported file: what its model was not trained on."""

from collections.abc import Callable
from typing import Any

import click

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.named import NAMED
from nextchar_training.text.split import Split, split_corpus


def text_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `heldout_split`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = [
    click.option("--corpus", metavar="NAME|PATH", help="Default: the named corpus the model was trained on."),
    click.option("--heldout", type=click.FloatRange(0, min_open=True), default=0.1, show_default=True),
    click.option("--heldout-file", metavar="PATH", help="A text that is held out as a whole."),
]


def heldout_split(card: Card, corpus: str | None, heldout: float, heldout_file: str | None) -> Split:
    """A text cut as it was for training, in the model's Unicode form.

    Raises:
        InvalidRequest: no text is given and the model's own is not a named corpus, or has changed.
        CorpusError: as `load_corpus` and `split_corpus`.
    """
    name = heldout_file or corpus or _trained_on(card)
    vocabulary = card.vocabulary
    text = load_corpus(name, symbols=vocabulary.symbols, normalization=vocabulary.normalization)
    if not heldout_file and not corpus and text.sha256 != card.provenance.get("corpus_sha256"):
        raise InvalidRequest(f"the corpus {text.name!r} is not the one this model was trained on")
    share = len(text.text) if heldout_file else heldout
    return split_corpus(text, unit=vocabulary.unit, heldout=share, development=0, window=-1)


def _trained_on(card: Card) -> str:
    name = str(card.provenance.get("corpus", ""))
    if name not in NAMED or str(card.provenance.get("corpus_source")).startswith(("file ", "folder ")):
        raise InvalidRequest(f"this model was trained on a file ({name!r}): give --corpus", param="corpus")
    return name
