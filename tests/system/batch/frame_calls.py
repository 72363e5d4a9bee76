"""Adds columns with Dask in processes, and to lazy polars frames.

python frame_calls.py ADDS PATH CALL RESULT: ADDS is score or judge, of the model or judge at PATH.
"""

import json
import sys
from typing import Any

import pandas as pd
from engine_rows import function, names


def with_dask(add: Any) -> Any:
    import dask
    import dask.dataframe as dd

    frame = dd.from_pandas(pd.DataFrame({"name": names()}), npartitions=4)
    extended = frame.map_partitions(add, meta=add(frame.head(0)))
    with dask.config.set(scheduler="processes", num_workers=2):
        return extended.compute()


def with_polars(add: Any) -> Any:
    import polars as pl

    frame = pl.DataFrame({"name": names()})
    schema = add(frame.head(0)).schema
    lazy = frame.lazy().map_batches(add, schema=schema)
    assert frame.pipe(add).equals(lazy.collect())
    return lazy.collect().to_pandas()


def main(adds: str, path: str, call: str, result: str) -> None:
    extended = {"dask": with_dask, "polars": with_polars}[call](function(adds, path))
    with open(result, "w") as file:
        json.dump({"rows": json.loads(extended.to_json(orient="records", double_precision=15))}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
