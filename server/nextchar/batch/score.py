"""Defines `Score`, which adds scores to batches of rows."""

from os import PathLike, fspath
from typing import Literal

from nextchar.batch.scores import ScoreAnnotator
from nextchar.batch.table_function import OnError, TableFunction


class Score(TableFunction[ScoreAnnotator]):
    """Adds the log-probability of a string, and what else a score has, to each row of a table.

        score = Score("models/domains", column="name")
        score(table)                                  # Arrow, pandas, polars, or a dictionary of arrays
        dataset.map_batches(score, batch_format="pyarrow")  # Ray Data

    It adds `logprob`, `bits_per_char`, `num_chars`, `num_unknown`, `percentile` and `p_value`; with
    `guesses` also `guesses_log10`.
    """

    def __init__(
        self,
        model: str | PathLike[str],
        *,
        column: str | None = None,
        url: str | None = None,
        precision: Literal["auto", "int8", "float32"] = "auto",
        num_threads: int | None = None,
        context: str = "",
        include_end: bool = False,
        guesses: bool = False,
        prefix: str = "",
        on_error: OnError = "keep",
    ) -> None:
        """Checks the arguments; the model is opened when the first rows come.

        Args:
            model: A step graph or its folder, which each machine must have; with `url`, the name of a model.
            column: The column that holds the strings; by default the only one of the table.
            url: The server to use, `http://host:port` or `grpc://host:port`; NEXTCHAR_API_KEY holds its key.
            precision: Of the model's file; auto prefers int8.
            num_threads: Of the model in one process; by default one per core. Set 1 where an engine already
                runs a process per core.
            context: The text before every string; it is not scored.
            include_end: Also score the end symbol, which models of lines have.
            guesses: Also estimate how many guesses a string withstands (see
                `nextchar.model.surprise.guess_numbers`). It needs a model file of strings, and counts the end
                symbol.
            prefix: What the names of the added columns begin with.
            on_error: `keep` leaves the added columns of a row without a string empty, `stop` raises.
        """
        counts_end = include_end or guesses
        annotator = ScoreAnnotator(fspath(model), url, precision, num_threads, context, counts_end, guesses)
        super().__init__(annotator, column, prefix, on_error)
