"""The tables of adaptive lanes: runs of rows, none twice, all of them again when they are given back."""

import numpy as np
import pytest

from nextchar.engine.adaptive.tables import ROW_BYTES, Run, TablePool


@pytest.mark.parametrize("num_rows", [1024, 1536, 1000])
def test_runs_do_not_overlap_and_come_back_whole(num_rows: int) -> None:
    pool, numbers = TablePool(num_rows * ROW_BYTES), np.random.default_rng(1)
    owner, taken = np.full(num_rows, -1), dict[int, Run]()
    for k in range(2000):
        if numbers.random() < 0.6:
            size = 1 << int(numbers.integers(0, 9))
            run = pool.take(size)
            if run is not None:
                assert (owner[run.first : run.first + size] == -1).all()
                owner[run.first : run.first + size] = k
                taken[k] = run
        elif taken:
            k = list(taken)[int(numbers.integers(len(taken)))]
            pool.give_back(taken.pop(k))
            owner[owner == k] = -1
    for run in taken.values():
        pool.give_back(run)
    largest = 1 << (num_rows.bit_length() - 1)
    assert pool.take(largest) == Run(0, largest)
    assert pool.take(num_rows) is None


def test_a_run_is_written_and_read_through_the_one_array() -> None:
    pool = TablePool(512 * ROW_BYTES)
    one, other = pool.take(256), pool.take(256)
    assert one is not None
    assert other is not None
    pool.rows[one.first : one.first + 256] = 1
    pool.rows[other.first : other.first + 256] = 2
    pool.give_back(other)
    assert (pool.rows[one.first : one.first + 256] == 1).all()
