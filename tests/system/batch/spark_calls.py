"""Scores with Spark in local worker processes. python spark_calls.py MODEL CALL RESULT."""

import json
import os
import sys

from pyspark.sql import SparkSession

from nextchar.batch import Score

_NAMES = [None if i == 7 else f"{i:x}" for i in range(2000)]


def main(model: str, call: str, result: str) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else the workers run the first Python of the path
    settings = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = (
        settings.config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    try:
        frame = spark.createDataFrame([(name,) for name in _NAMES], "name string").repartition(4)
        score = Score(model, column="name", num_threads=1)
        schema = f"name string, {score.sql}"
        scored = frame.mapInArrow(score, schema) if call == "arrow" else frame.mapInPandas(score, schema)
        rows = [row.asDict() for row in scored.collect()]
    finally:
        spark.stop()
    with open(result, "w") as file:
        json.dump({"rows": rows}, file)


main(*sys.argv[1:])
