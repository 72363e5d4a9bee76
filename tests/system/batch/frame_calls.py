"""Scores with Dask in processes, and with lazy polars frames. python frame_calls.py MODEL CALL RESULT."""

import json
import sys
from typing import Any

import pandas as pd

from nextchar.batch import Score

_NAMES = [None if i == 7 else f"{i:x}" for i in range(2000)]


def with_dask(score: Score) -> Any:
    import dask
    import dask.dataframe as dd

    frame = dd.from_pandas(pd.DataFrame({"name": _NAMES}), npartitions=4)
    scored = frame.map_partitions(score, meta=score(frame.head(0)))
    with dask.config.set(scheduler="processes", num_workers=2):
        return scored.compute()


def with_polars(score: Score) -> Any:
    import polars as pl

    frame = pl.DataFrame({"name": _NAMES})
    schema = score(frame.head(0)).schema
    lazy = frame.lazy().map_batches(score, schema=schema)
    assert frame.pipe(score).equals(lazy.collect())
    return lazy.collect().to_pandas()


def main(model: str, call: str, result: str) -> None:
    scored = {"dask": with_dask, "polars": with_polars}[call](Score(model, column="name", num_threads=1))
    with open(result, "w") as file:
        json.dump({"rows": json.loads(scored.to_json(orient="records", double_precision=15))}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
