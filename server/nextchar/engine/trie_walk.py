"""Walks the trie of one job: its pending branches, the states kept for them, the results so far.

Of the pending branches, those with the most reads below them are taken first.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

from nextchar.engine.lane import ScoreJob
from nextchar.engine.state_pool import INITIAL, StatePool
from nextchar.engine.work import Delivery, FinishReason
from nextchar.model.step_runner import StepRunner
from nextchar.model.vocabulary import Ids

_NO_IDS: Ids = np.empty(0, dtype=np.int64)


class BranchQueue:
    """Holds branches by the number of reads below them, in whole arrays: a call may add a thousand."""

    def __init__(self) -> None:
        self._by_reads: dict[int, list[tuple[Ids, Ids]]] = {}  # nodes, slots
        self._longest: list[int] = []  # heap of the keys, negative
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, nodes: Ids, slots: Ids, reads: Ids) -> None:
        """Adds branches: their nodes, the slots of the states before them, the reads below them."""
        order = np.argsort(reads, kind="stable")
        ordered = reads[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        for key, part in zip(ordered[starts].tolist(), np.split(order, starts[1:]), strict=True):
            if key not in self._by_reads:
                self._by_reads[key] = []
                heapq.heappush(self._longest, -key)
            self._by_reads[key].append((nodes[part], slots[part]))
        self._count += len(nodes)

    def take(self, count: int) -> tuple[Ids, Ids]:
        """Takes out the next `count` branches, of which there are as many; returns their nodes and slots."""
        taken: list[tuple[Ids, Ids]] = []
        self._count -= count
        while count:
            key = -self._longest[0]
            parts = self._by_reads[key]
            nodes, slots = parts.pop()
            if len(nodes) > count:
                parts.append((nodes[count:], slots[count:]))
                nodes, slots = nodes[:count], slots[:count]
            if not parts:
                del self._by_reads[key]
                heapq.heappop(self._longest)
            taken.append((nodes, slots))
            count -= len(nodes)
        if len(taken) == 1:
            return taken[0]
        empty = np.empty(0, dtype=np.int64)
        return (
            np.concatenate([empty, *(nodes for nodes, _ in taken)]),
            np.concatenate([empty, *(slots for _, slots in taken)]),
        )


class TrieWalk:
    """Holds the pending branches of a running job, the states kept for them and the results so far."""

    def __init__(self, job: ScoreJob, runner: StepRunner, pool: StatePool) -> None:
        self.job = job
        self.trie = trie = job.trie
        self.symbols = np.append(trie.symbols, 0)  # one entry more, for where there is no next node
        self._must_read = np.append(trie.must_read, False)
        self.logprobs = np.zeros(trie.num_nodes + 1)
        self.num_rows = 0
        self.num_left = int(trie.must_read.sum())  # nodes to read
        self._runner = runner
        self._pool = pool
        self.pending = BranchQueue()
        if trie.must_read[0]:
            slot = INITIAL if job.start is None else pool.put(job.start.arrays)
            self.pending.add(np.array([0]), np.array([slot]), np.array([trie.longest]))

    @property
    def done(self) -> bool:
        return not self.pending and self.num_rows == 0

    def advance(self, rows: Ids, nodes: Ids, logprobs: NDArray[np.float32]) -> Ids:
        """Advances rows that have read K nodes from `nodes[rows]` on, worth `logprobs` [K, rows].

        Returns the rows that have come to an end.
        """
        trie, num_steps = self.trie, len(logprobs)
        last = nodes[rows] + (num_steps - 1)
        has_next = trie.has_next[last]
        seen = nodes[rows] + np.arange(1, num_steps + 1)[:, None]
        seen[-1, ~has_next] = trie.num_nodes  # there is no such node: never read
        self.logprobs[seen] = logprobs
        self._branch(rows, last)
        nodes[rows] = last + 1
        ended: Ids = rows[~(has_next & self._must_read[last + 1])]
        self.num_rows -= len(ended)
        self.num_left -= len(rows) * num_steps
        return ended

    def _branch(self, rows: Ids, nodes: Ids) -> None:
        """Stores the log-probabilities of the branches of nodes, and keeps the states of those to be read."""
        trie = self.trie
        first, counts = trie.first_branch[nodes], trie.first_branch[nodes + 1] - trie.first_branch[nodes]
        branching = counts.nonzero()[0]
        if not len(branching):
            return
        counts = counts[branching]
        which = np.repeat(np.arange(len(branching)), counts)
        skipped = np.cumsum(counts) - counts
        branches = np.arange(len(which)) + (first[branching] - skipped)[which]
        heads = trie.heads[branches]
        from_rows = rows[branching][which]
        self.logprobs[heads] = self._runner.distribution[from_rows, trie.symbols[heads]]
        read_on = trie.must_read[heads].nonzero()[0]
        if len(read_on):
            self._keep(from_rows[read_on], heads[read_on], trie.reads[branches[read_on]])

    def _keep(self, rows: Ids, heads: Ids, reads: Ids) -> None:
        first = np.ones(
            len(rows), dtype=np.bool_
        )  # whether it is the first of its row: the branches of a row lie together
        first[1:] = rows[1:] != rows[:-1]
        of_row = np.cumsum(first) - 1
        slots = np.array(self._pool.keep(rows[first], np.bincount(of_row).tolist()))
        self.pending.add(heads, slots[of_row], reads)

    def take(self, rows: Ids) -> Ids:
        """Puts pending branches into rows, as many as there are rows; returns their nodes."""
        nodes, slots = self.pending.take(len(rows))
        self._pool.restore(rows, slots.tolist())
        self._runner.ids[rows] = self.trie.symbols[nodes]
        self.num_rows += len(rows)
        return nodes

    def release(self) -> None:
        """Releases the states that were kept, when the result is no longer wanted."""
        _, slots = self.pending.take(len(self.pending))
        for slot in slots.tolist():
            self._pool.release(slot)

    def result(self) -> Delivery:
        """Returns the delivery with the log-probability of every node."""
        return Delivery(_NO_IDS, self.logprobs[:-1], finish=FinishReason.GIVEN)
