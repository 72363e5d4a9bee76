"""What is raised when a text cannot be trained on."""

from nextchar.errors import InvalidRequest


class CorpusError(InvalidRequest):
    """The text is missing, unreadable or too small; one line says which."""

    code = "invalid_corpus"
