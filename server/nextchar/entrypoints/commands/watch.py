"""Implements `nextchar watch`, which follows a file that grows and prints the lines that surprise."""

import time
from contextlib import closing
from pathlib import Path

import click

from nextchar.entrypoints.commands.answer_source import answering, url_option
from nextchar.entrypoints.commands.query_arguments import MODEL, PRECISION
from nextchar.entrypoints.watching.ending import Ending
from nextchar.entrypoints.watching.file_follower import FileFollower
from nextchar.entrypoints.watching.line_reader import Answering, LineReader
from nextchar.entrypoints.watching.line_splitter import LineSplitter
from nextchar.entrypoints.watching.printed_lines import print_header, print_json, print_row, printable
from nextchar.entrypoints.watching.source import WatchedSource
from nextchar.entrypoints.watching.stream import Stream, is_pipe
from nextchar.entrypoints.watching.watcher import Watch, Watcher
from nextchar.errors import InvalidRequest, shown_least
from nextchar.model.surprise.online import MAX_LINES, OnlineSurprise, lines_needed

_NUM_LINES = 200  # more than are needed at the default threshold
_MOST_COMPARED = 100_000


@click.command
@MODEL
@click.argument("file")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Print the lines whose p-value is at most this; 1 prints every line.",
)
@click.option(
    "-n",
    "--lines",
    "num_lines",
    type=click.IntRange(min=0),
    default=_NUM_LINES,
    show_default=True,
    help="Begin with this many of the last lines of the file. A pipe is read from its beginning.",
)
@click.option("--from-start", is_flag=True, help="Begin with the first line of the file.")
@click.option(
    "--compare",
    "max_compared",
    type=click.IntRange(1, _MOST_COMPARED),
    default=MAX_LINES,
    show_default=True,
    help="The largest number of lines that a line is compared with: those just before it, and never more "
    "than the later half of all lines read.",
)
@click.option("--no-follow", is_flag=True, help="Stop at the end of the file, and do not wait for more.")
@click.option(
    "--encoding", default="utf-8", show_default=True, help="The encoding of the file, as utf-8 or latin-1."
)
@url_option
@PRECISION
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines: one object for each line printed.")
def watch(
    model: str,
    file: str,
    threshold: float,
    num_lines: int,
    from_start: bool,
    max_compared: int,
    no_follow: bool,
    encoding: str,
    url: str | None,
    precision: str,
    as_json: bool,
) -> None:
    """Follow FILE while it grows, and print the lines that surprise MODEL most.

    The model learns the file while it reads it, so that what repeats is soon expected. Each line is printed
    whose p-value is at most the threshold: the share of the lines before it that surprised at least as much.
    At 0.01, the first 197 lines are read before one can be printed.

    FILE is followed by its name, as `tail -F` does: it may be rotated, truncated, or not be there yet. A pipe
    or - for standard input is read as it comes. The command ends at Ctrl-C or SIGTERM, or when standard input
    ends.

    MODEL is a step graph, the folder of a version or the folder of a model; with --url it is the name of a
    model of the server.
    """
    _check(threshold, max_compared, num_lines, from_start)
    LineSplitter(encoding)  # before the model is opened, which takes longer
    ending, watcher = Ending(), None
    with ending.listening(), answering(model, url, precision) as (client, name):
        with ending.interruptible():
            asked = Answering(client, name, url is not None)
            reader = LineReader(asked, OnlineSurprise(max_compared), tell=_tell, wait=time.sleep)
            source = _open(file, None if from_start else num_lines, follows=not no_follow)
        splitter = LineSplitter(encoding, reader.max_line_chars)
        show = print_json if as_json else print_row
        watcher = Watcher(Watch(source, splitter, reader, threshold, show, _tell, repr(file)), ending)
        if needed := lines_needed(threshold):
            _tell(f"{needed:,} {'line is' if needed == 1 else 'lines are'} read before one can be printed")
        if not as_json:
            print_header()
        with closing(source):
            watcher.run()
    if watcher is not None:
        _tell(watcher.summary())


def _check(threshold: float, max_compared: int, num_lines: int, from_start: bool) -> None:
    if not threshold * (max_compared + 1) >= 1:
        raise InvalidRequest(
            f"--threshold must be at least {shown_least(1 / (max_compared + 1))} (it is {threshold}), the "
            f"least p-value of a line that is compared with {max_compared:,} others: raise it, or --compare"
        )
    if from_start and num_lines != _NUM_LINES:
        raise InvalidRequest("give either --lines or --from-start, not both")


def _open(file: str, num_lines: int | None, *, follows: bool) -> WatchedSource:
    path = Path(file)
    try:
        if file == "-":
            return Stream(None)
        if is_pipe(path):
            return Stream(path, follows=follows)
        return FileFollower(path, num_lines=num_lines, follows=follows, tell=_tell)
    except OSError as error:
        raise InvalidRequest(f"{file!r} cannot be read: {error.strerror or error}") from error


def _tell(sentence: str) -> None:
    """Tells on standard error what is out of the ordinary."""
    click.echo(f"nextchar watch: {printable(sentence)}", err=True)
