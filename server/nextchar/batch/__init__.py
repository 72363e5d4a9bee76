"""Functions for batches of rows, which Ray Data, Spark, Dask and polars take as they are."""

from nextchar.batch.score import Score

__all__ = ["Score"]
