"""Measures how many strings of a Parquet file Ray Data scores per second, with one worker and with two.

    .tools/ray/bin/python -m benchmarks.scoring.ray_rate FILE [STRINGS]

FILE has a column `name`, as `benchmarks.scoring.tables` writes it. Each worker has one core and one engine;
the second figure divided by the first says what a core more is worth, if it is free.
"""

import sys
import time
from importlib import import_module
from typing import Any

from nextchar.batch import Score

_MODEL, _STRINGS, _BATCH = "models/domains", 400_000, 10_000
_MAX_WORKERS = 2


def rate(file: str, num_strings: int, num_workers: int) -> float:
    """Returns strings per second, of workers that have scored a batch each before."""
    data: Any = import_module("ray.data")
    dataset = data.read_parquet(file, columns=["name"]).limit(num_strings + 2 * _MAX_WORKERS * _BATCH)
    scored = dataset.repartition(target_num_rows_per_block=_BATCH).map_batches(
        Score,
        fn_constructor_args=[_MODEL],
        fn_constructor_kwargs={"column": "name", "num_threads": 1},
        batch_format="pyarrow",
        batch_size=_BATCH,
        compute=data.ActorPoolStrategy(size=num_workers),
    )
    batches = iter(scored.iter_batches(batch_size=_BATCH, batch_format="pyarrow"))
    for _ in range(2 * num_workers):
        next(batches)
    started, num_rows = time.perf_counter(), 0
    for batch in batches:
        num_rows += batch.num_rows
    return num_rows / (time.perf_counter() - started)


def main(file: str, num_strings: int = _STRINGS) -> None:
    ray: Any = import_module("ray")
    ray.init(num_cpus=2 * _MAX_WORKERS, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    context: Any = import_module("ray.data").DataContext.get_current()
    context.enable_progress_bars = False
    rates = {num: rate(file, num_strings, num) for num in range(1, _MAX_WORKERS + 1)}
    for num, found in rates.items():
        print(f"{num} workers {found:14,.0f} strings per second")
    print(f"2 ÷ 1 {rates[2] / rates[1]:18.2f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
