"""Queues the pending branches of a job's trie: those with the most reads below them are taken first."""

import heapq

import numpy as np

from nextchar.model.vocabulary import Ids


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
