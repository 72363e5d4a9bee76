"""Chooses how many processor threads a run has."""

import os

from nextchar.model.cores import num_cores


def usual_num_threads() -> int:
    """Returns OMP_NUM_THREADS if it is set to a number, else the cores that this process may use.

    Those are at most its container's limit: more threads than that are stopped in the middle of a step.
    """
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(said) if said.isdecimal() and int(said) else num_cores()
