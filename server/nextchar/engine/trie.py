"""Builds a trie of strings in flat arrays: a shared prefix is read once, and many rows walk it.

Nodes are numbered in the order of a walk: a node's first child is the next number, so an unbranched stretch
is a range. Node 0 is the begin symbol, nodes 1 … m the context before all strings, if any. Reading a node
yields the log-probability of each of its children; a node without children is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextchar.engine.cooperative import Cooperative
from nextchar.engine.sampler import Doubles
from nextchar.model.vocabulary import Ids

NodeFlags = np.ndarray[tuple[int], np.dtype[np.bool_]]
PathMask = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
_MAX_CELLS = 1_000_000  # of a table with one line per string; more strings take several tables


@dataclass(frozen=True, slots=True)
class Trie:
    """Holds `n` nodes and `b` branches; a branch is a child that is not the next number of its parent.

    `symbols` [n]; `has_next` [n]: the next number is a child; `must_read` [n]: the node has children;
    `run` [n]: how many nodes from here on are read one after the other before one branches or ends;
    `heads` [b]: the branches' nodes, those of node v being `heads[first_branch[v]:first_branch[v + 1]]`;
    `reads` [b]: the most nodes on a path down from there, so that long paths start first.
    """

    symbols: Ids
    has_next: NodeFlags
    must_read: NodeFlags
    run: Ids
    first_branch: Ids
    heads: Ids
    reads: Ids
    num_context: int
    _order: list[int]  # strings as sorted
    _starts: list[int]  # by sorted string: its first own node
    _shared: list[int]  # by sorted string: symbols it shares with the one before
    _lengths: list[int]  # by sorted string

    @property
    def num_strings(self) -> int:
        return len(self._order)

    @property
    def num_nodes(self) -> int:
        return len(self.symbols)

    @property
    def longest(self) -> int:
        """The most nodes on a path down from the begin symbol."""
        return self.num_context + max(self._lengths, default=0)

    def gather(self, logprobs: Doubles) -> Doubles:
        """Returns log-probabilities of all strings' symbols, string after string, from those of nodes [n]."""
        ends = np.zeros(self.num_strings + 1, dtype=np.int64)
        ends[1 + np.asarray(self._order, dtype=np.int64)] = self._lengths
        ends = np.cumsum(ends)
        result = np.empty(ends[-1])
        num_lines = max(1, _MAX_CELLS // max(1, max(self._lengths, default=0)))
        above = np.zeros(0, dtype=np.int64)  # the path of the string before
        for first in range(0, self.num_strings, num_lines):
            block = slice(first, first + num_lines)
            paths, inside = self._paths(block, above)
            above = paths[-1]
            starts = ends[np.asarray(self._order[block], dtype=np.int64)]
            into = (starts[:, None] + np.arange(paths.shape[1]))[inside]
            result[into] = logprobs[paths[inside]]
        return result

    def _paths(self, block: slice, above: Ids) -> tuple[Ids, PathMask]:
        """Returns the nodes of sorted strings, one line per string, and which cells belong to the string.

        A string's first nodes are those of the string before it, and numbers grow from string to string, so
        they are the largest so far at their depth.
        """
        starts, shared = np.array(self._starts[block]), np.array(self._shared[block])
        lengths = np.array(self._lengths[block])
        depth = np.arange(max(int(lengths.max(initial=0)), len(above)))
        inside = depth < lengths[:, None]
        own = inside & (depth >= shared[:, None])
        paths = np.where(own, (starts - shared)[:, None] + depth, 0)
        paths[0, : len(above)] = np.maximum(paths[0, : len(above)], above)
        return np.maximum.accumulate(paths, axis=0), inside


_STRINGS_PER_YIELD = 128
_MIN_PART = 128  # strings: smaller parts share too little


def split_sorted(strings: Sequence[Ids], num_parts: int) -> list[list[int]]:
    """Returns the indices of strings in up to `num_parts` parts, those that begin alike together."""
    num_parts = min(num_parts, len(strings) // _MIN_PART)
    if num_parts <= 1:
        return [list(range(len(strings)))]
    order = sorted(range(len(strings)), key=[_sort_key(s) for s in strings].__getitem__)
    size = -(-len(order) // num_parts)
    return [order[first : first + size] for first in range(0, len(order), size)]


def build_trie(strings: Sequence[Ids], begin_id: int, context: Ids) -> Cooperative[Trie]:
    """Builds the trie of strings of ids, each after begin and the context."""
    keys = [_sort_key(s) for s in strings]
    yield
    order = sorted(range(len(strings)), key=keys.__getitem__)
    builder = _Builder(len(context))
    previous: Ids = np.empty(0, dtype=np.int64)
    for count, i in enumerate(order):
        if count % _STRINGS_PER_YIELD == 0:
            yield
        builder.add(strings[i], _num_shared(previous, strings[i]))
        previous = strings[i]
    yield
    symbols = np.concatenate([np.array([begin_id], dtype=np.int64), context, *builder.tails])
    return builder.finish(symbols, order)


class _Builder:
    """Builds a trie from sorted strings: each adds one stretch of nodes where it leaves the one before."""

    def __init__(self, num_context: int) -> None:
        self.tails: list[Ids] = []
        self._num_nodes = num_context + 1
        # Stretches on the path to the previous string's end: depth and node of the first, and its branch.
        self._stack: list[tuple[int, int, int]] = [(0, num_context, -1)]
        self._ends = [num_context]  # last node of every stretch that nothing continues
        self._parents: list[int] = []  # by branch: where it is attached
        self._heads: list[int] = []
        self._above: list[int] = []  # by branch: the branch it is attached to, -1 for the trunk
        self._depths: list[int] = []  # by branch: symbols before it
        self._reach: list[int] = []  # by branch: symbols of the longest string through it
        self._starts: list[int] = []
        self._shared: list[int] = []
        self._lengths: list[int] = []

    def add(self, string: Ids, shared: int) -> None:
        self._starts.append(self._num_nodes)
        self._shared.append(shared)
        self._lengths.append(len(string))
        if len(string) == shared:
            return
        while self._stack[-1][0] > shared:
            self._stack.pop()
        depth, node, branch = self._stack[-1]
        parent = node + shared - depth
        if parent == self._num_nodes - 1:  # continues where the last string ended
            self._ends.pop()
        else:
            self._above.append(branch)
            branch = len(self._heads)
            self._parents.append(parent)
            self._heads.append(self._num_nodes)
            self._depths.append(shared)
            self._reach.append(0)
        if branch >= 0:
            self._reach[branch] = max(self._reach[branch], len(string))
        self._stack.append((shared + 1, self._num_nodes, branch))
        self.tails.append(string[shared:])
        self._num_nodes += len(string) - shared
        self._ends.append(self._num_nodes - 1)

    def finish(self, symbols: Ids, order: list[int]) -> Trie:
        has_next = np.ones(self._num_nodes, dtype=np.bool_)
        has_next[self._ends] = False
        for branch in range(len(self._heads) - 1, -1, -1):  # a branch reaches as far as those on it
            above = self._above[branch]
            if above >= 0:
                self._reach[above] = max(self._reach[above], self._reach[branch])
        parents = np.array(self._parents, dtype=np.int64)
        by_parent = np.argsort(parents, kind="stable")
        counts = np.bincount(parents, minlength=self._num_nodes)
        must_read = has_next | (counts > 0)
        reads = np.array(self._reach, dtype=np.int64) - np.array(self._depths, dtype=np.int64)
        return Trie(
            symbols=symbols,
            has_next=has_next,
            must_read=must_read,
            run=_runs(has_next & (counts == 0), must_read),
            first_branch=np.concatenate([[0], np.cumsum(counts)]),
            heads=np.array(self._heads, dtype=np.int64)[by_parent],
            reads=reads[by_parent],
            num_context=self._stack[0][1],
            _order=order,
            _starts=self._starts,
            _shared=self._shared,
            _lengths=self._lengths,
        )


def _sort_key(string: Ids) -> bytes:
    return string.astype(">u4").tobytes()


def _num_shared(a: Ids, b: Ids) -> int:
    """Returns the length of the prefix that two strings share."""
    shorter = min(len(a), len(b))
    if shorter == 0:
        return 0
    different = a[:shorter] != b[:shorter]
    first = int(different.argmax())
    return first if different[first] else shorter


def _runs(single: NodeFlags, must_read: NodeFlags) -> Ids:
    """Returns by node how many nodes, from it on, follow one another as only children that are read."""
    continues = single.copy()
    continues[:-1] &= must_read[1:]
    continues[-1] = False
    stops = np.flatnonzero(~continues)
    nodes = np.arange(len(single))
    return stops[np.searchsorted(stops, nodes)] - nodes + 1
