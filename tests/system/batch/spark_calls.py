"""Adds columns with Spark in local worker processes.

python spark_calls.py ADDS PATH CALL RESULT: ADDS is score or judge, of the model or judge at PATH.
"""

import json
import os
import sys

from engine_rows import function, names
from pyspark.sql import SparkSession


def main(adds: str, path: str, call: str, result: str) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else the workers run the first Python of the path
    settings = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = (
        settings.config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    try:
        frame = spark.createDataFrame([(name,) for name in names()], "name string").repartition(4)
        add = function(adds, path)
        schema = f"name string, {add.sql}"
        extended = frame.mapInArrow(add, schema) if call == "arrow" else frame.mapInPandas(add, schema)
        rows = [row.asDict() for row in extended.collect()]
    finally:
        spark.stop()
    with open(result, "w") as file:
        json.dump({"rows": rows}, file)


main(*sys.argv[1:])
