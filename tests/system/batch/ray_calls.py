"""Adds columns with Ray Data on a local cluster of two workers, of which one is killed in the middle.

python ray_calls.py ADDS PATH CALL RESULT: ADDS is score or judge, of the model or judge at PATH; RESULT is
the JSON of the rows, and of the pids that were killed.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import ray
from engine_rows import ARGUMENTS, CLASSES, NUM_ROWS, function, names
from ray.cluster_utils import Cluster

_NODES = 2
_STORE_BYTES = 80 * 2**20
_BLOCKS = 20


@contextmanager
def cluster() -> Iterator[None]:
    """A head that computes nothing, and two workers with a core each."""
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    started = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(_NODES):
            started.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
        ray.init(address=started.address, logging_level="ERROR", log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        started.shutdown()


def rows() -> Any:
    """A data set of strings, some of them missing."""
    return ray.data.from_items([{"name": name} for name in names()], override_num_blocks=_BLOCKS)


def extended(adds: str, path: str, call: str) -> Any:
    """The data set with columns added: by tasks or by actors."""
    if call == "tasks":
        return rows().map_batches(function(adds, path), batch_format="pyarrow")
    return rows().map_batches(
        CLASSES[adds],
        fn_constructor_args=[path],
        fn_constructor_kwargs=ARGUMENTS,
        batch_format="pandas" if call == "pandas" else "pyarrow",
        compute=ray.data.ActorPoolStrategy(size=_NODES),
        max_restarts=-1,
        max_task_retries=-1,
    )


def kill_one() -> list[int]:
    """Kills a process that adds columns."""
    for child in psutil.Process().children(recursive=True):
        if child.name().startswith("ray::Map") or any("ray::Map" in part for part in child.cmdline()):
            os.kill(child.pid, signal.SIGKILL)
            return [child.pid]
    return []


def main(adds: str, path: str, call: str, result: str) -> None:
    found: list[dict[str, Any]] = []
    killed: list[int] = []
    ray.data.DataContext.get_current().enable_progress_bars = False
    with cluster():
        found_rows = extended(adds, path, call)
        for batch in found_rows.iter_batches(batch_size=NUM_ROWS // _BLOCKS, batch_format="pyarrow"):
            found += batch.to_pylist()
            if not killed and call != "pandas":
                killed = kill_one()
    with open(result, "w") as file:
        json.dump({"rows": found, "killed": killed}, file)


main(*sys.argv[1:])
