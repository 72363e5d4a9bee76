"""Functions for batches of rows, which Ray Data, Spark, Dask and polars take as they are."""

from nextchar.batch.judge import Judge
from nextchar.batch.score import Score

__all__ = ["Judge", "Score"]
