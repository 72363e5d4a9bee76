"""Reads the text that a model file is evaluated on: what its model was not trained on."""

from nextchar.errors import InvalidRequest
from nextchar.model.card import Card
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.named import NAMED
from nextchar_training.text.split import Split, split_corpus


def heldout_split(card: Card, corpus: str | None, heldout: float, heldout_file: str | None) -> Split:
    """Reads a text in the model's Unicode form and cuts it as it was cut for training.

    Raises:
        InvalidRequest: no text is given, and the model's own is not a named corpus or has changed.
        CorpusError: as `load_corpus` and `split_corpus`.
    """
    name = heldout_file or corpus or _trained_on(card)
    vocabulary = card.vocabulary
    text = load_corpus(name, symbols=vocabulary.symbols, normalization=vocabulary.normalization)
    if not heldout_file and not corpus and text.sha256 != card.provenance.get("corpus_sha256"):
        raise InvalidRequest(
            f"the corpus {text.name!r} is not the one this model was trained on: its SHA-256 differs; give "
            "--corpus"
        )
    share = len(text.text) if heldout_file else heldout
    return split_corpus(text, unit=vocabulary.unit, heldout=share, development=0, window=-1)


def _trained_on(card: Card) -> str:
    name = str(card.provenance.get("corpus", ""))
    if name not in NAMED or str(card.provenance.get("corpus_source")).startswith(("file ", "folder ")):
        raise InvalidRequest(
            f"this model was trained on a file ({name!r}), not on a named corpus: give --corpus",
            param="corpus",
        )
    return name
