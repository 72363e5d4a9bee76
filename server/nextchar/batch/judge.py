"""Defines `Judge`, which adds verdicts to batches of rows."""

from os import PathLike, fspath

from nextchar.batch.table_function import OnError, TableFunction
from nextchar.batch.verdicts import JudgeAnnotator


class Judge(TableFunction[JudgeAnnotator]):
    """Adds whether a string is flagged, its p-value with its interval, and its likeliest kind to each row.

        judge = Judge("judges/dga", column="name", false_alarm_rate=0.001)
        judge(table)                                  # Arrow, pandas, polars, or a dictionary of arrays
        dataset.map_batches(judge, batch_format="pyarrow")  # Ray Data

    It adds `is_flagged`, `p_value`, `low`, `high` and `kind`.
    """

    def __init__(
        self,
        judge: str | PathLike[str],
        *,
        column: str | None = None,
        url: str | None = None,
        models: str | PathLike[str] | None = None,
        num_threads: int | None = None,
        false_alarm_rate: float | None = None,
        prefix: str = "",
        on_error: OnError = "keep",
    ) -> None:
        """Checks the arguments; the judge is opened when the first rows come.

        Args:
            judge: The folder of a judge, which each machine must have; with `url`, the name of a judge.
            column: The column that holds the strings; by default the only one of the table.
            url: The server to use, `http://host:port` or `grpc://host:port`; NEXTCHAR_API_KEY holds its key.
            models: The folder of models; by default `models` beside the folder of judges.
            num_threads: Of the model in one process; by default one per core. Set 1 where an engine already
                runs a process per core.
            false_alarm_rate: The share of normal strings that may be flagged; by default the judge's own.
            prefix: What the names of the added columns begin with.
            on_error: `keep` leaves the added columns of a row without a string empty, `stop` raises.
        """
        folder = None if models is None else fspath(models)
        annotator = JudgeAnnotator(fspath(judge), url, folder, num_threads, false_alarm_rate)
        super().__init__(annotator, column, prefix, on_error)
