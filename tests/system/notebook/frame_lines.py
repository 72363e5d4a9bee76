"""Runs the lines of docs/library.md that score a column of a pandas, polars or Arrow table.

Arguments: the model, and each kind's line. Prints, by kind, the log-probabilities of its new column, as JSON.
"""

import json
import sys

import pandas as pd
import polars as pl
import pyarrow as pa

import nextchar

STRINGS = {"name": ["hello", "htktt", "ä"]}
path, *lines = sys.argv[1:]
found = {}
with nextchar.load(path) as model:
    names = {"model": model, "frame": pd.DataFrame(STRINGS)}
    exec(lines[0], names)
    found["pandas"] = names["frame"]["logprob"].tolist()
    names["frame"] = pl.DataFrame(STRINGS)
    exec(lines[1], names)
    found["polars"] = names["frame"]["logprob"].to_list()
    names["table"] = pa.table(STRINGS)
    exec(lines[2], names)
    found["Arrow"] = names["table"]["logprob"].to_pylist()
json.dump(found, sys.stdout)
