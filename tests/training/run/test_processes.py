"""The processes of a group share out the columns of a batch."""

import pytest

from nextchar_training.run.processes import ProcessGroup


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_the_shares_of_a_group_are_the_whole_batch(size: int) -> None:
    for num_columns in (1, 2, 5, 32):
        groups = [ProcessGroup(rank, size) for rank in range(size)]
        columns = [
            k
            for t in groups
            if not t.is_idle(num_columns)
            for k in range(num_columns)[t.columns(num_columns)]
        ]
        assert columns == list(range(num_columns))
        assert [group.is_leader for group in groups] == [True] + [False] * (size - 1)
