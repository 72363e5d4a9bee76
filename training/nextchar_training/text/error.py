"""Defines the error of a text that cannot be trained on."""

from nextchar.errors import InvalidRequest


class CorpusError(InvalidRequest):
    """Raised when a text is missing, unreadable or too small."""

    code = "invalid_corpus"
