"""Prints lines that surprise, as a table or as JSON Lines."""

import json

import click

from nextchar.entrypoints.watching.line_reader import ReadLine

_HEADER = "  p-value       bits  bits/char      line  text"


def print_header() -> None:
    """Prints what the columns are."""
    click.echo(_HEADER)


def print_row(read: ReadLine) -> None:
    """Prints one line of the table."""
    score, cut = read.score, " …" * read.line.is_cut
    text = f"{printable(read.line.text)}{cut}"
    click.echo(f"{read.p_value:9.2g} {read.bits:10.1f} {score.bits_per_char:10.3f} {read.number:9d}  {text}")


def print_json(read: ReadLine) -> None:
    """Prints one line of JSON Lines, with the names that `/v1/score` has."""
    score = read.score
    fields = {
        "line": read.number,
        "p_value": read.p_value,
        "logprob": score.logprob,
        "bits_per_char": score.bits_per_char,
        "num_chars": score.num_chars,
        "num_unknown": score.num_unknown,
        "model_logprob": score.model_logprob,
        "is_cut": read.line.is_cut,
        "text": read.line.text,
    }
    click.echo(json.dumps(fields, ensure_ascii=False))


def printable(text: str) -> str:
    """Returns a text without control characters: whoever writes a log could else write to the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
