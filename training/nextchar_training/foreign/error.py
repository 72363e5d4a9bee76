"""Defines the error of a network that cannot be imported."""

from nextchar.errors import NextcharError


class ImportRefused(NextcharError):
    """Raised when a file is not a character-level recurrent network that this package can serve."""

    code = "import_refused"
