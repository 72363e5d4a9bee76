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
from nextchar.model.strings import Ids, Strings, ranges

NodeFlags = np.ndarray[tuple[int], np.dtype[np.bool_]]
PathMask = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
_MAX_CELLS = 32_768  # of a table with one line per string; more strings take several tables
_MAX_LINES = 4096
_MAX_SORTED_CELLS = 1_000_000  # of a table that is sorted at once


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
    _order: Ids  # strings as sorted
    _starts: Ids  # by sorted string: its first own node
    _shared: Ids  # by sorted string: symbols it shares with the one before
    _lengths: Ids  # by sorted string

    @property
    def num_strings(self) -> int:
        return len(self._order)

    @property
    def num_nodes(self) -> int:
        return len(self.symbols)

    @property
    def longest(self) -> int:
        """The most nodes on a path down from the begin symbol."""
        return self.num_context + int(self._lengths.max(initial=0))

    def gather(self, logprobs: Doubles, into: Doubles, starts: Ids) -> Cooperative[None]:
        """Writes log-probabilities of nodes [n] to where each string begins, `starts` [strings]."""
        above, first = np.zeros(0, dtype=np.int64), 0  # the path of the string before
        while first < self.num_strings:
            block = slice(first, first + _num_lines(self._lengths[first:]))
            paths, inside = self._paths(block, above)
            above, first = paths[-1][: self._lengths[block][-1]], block.stop
            into[ranges(starts[self._order[block]], self._lengths[block])] = logprobs[paths[inside]]
            yield

    def _paths(self, block: slice, above: Ids) -> tuple[Ids, PathMask]:
        """Returns the nodes of sorted strings, one line per string, and which cells belong to the string.

        A string's first nodes are those of the string before it, and numbers grow from string to string, so
        they are the largest so far at their depth.
        """
        starts, shared, lengths = self._starts[block], self._shared[block], self._lengths[block]
        depth = np.arange(int(lengths.max(initial=0)))
        inside = depth < lengths[:, None]
        own = inside & (depth >= shared[:, None])
        return _accumulated(own, starts - shared, above), inside


def _accumulated(own: PathMask, offsets: Ids, above: Ids) -> Ids:
    """Returns the nodes of sorted strings by depth, with those that they share with the strings before.

    Of the string `above` them, which may be longer, they need only what is as deep as they are.
    """
    paths = np.where(own, offsets[:, None] + np.arange(own.shape[1]), 0)
    above = above[: own.shape[1]]
    paths[0, : len(above)] = np.maximum(paths[0, : len(above)], above)
    return np.maximum.accumulate(paths, axis=0)


_MIN_PART = 128  # strings: smaller parts share too little


def sorted_order(strings: Strings) -> Ids:
    """Returns the order of strings by their ids, those that others begin with first; equals as they come."""
    width, count = int(strings.lengths.max(initial=0)), len(strings)
    if width * count > _MAX_SORTED_CELLS:
        keys = [ids.astype(">u4").tobytes() for ids in strings]
        return np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)
    if not width:
        return np.arange(count)
    symbol = np.dtype(np.uint8 if int(strings.flat.max()) < 255 else ">u4")
    table = np.zeros((count, width), dtype=symbol)  # 0 is the end: less than any symbol
    table[np.arange(width) < strings.lengths[:, None]] = strings.flat + 1
    return np.argsort(table.view(f"S{width * symbol.itemsize}")[:, 0], kind="stable")


def split_sorted(strings: Sequence[Ids], num_parts: int) -> list[Ids]:
    """Returns the indices of strings, sorted, in up to `num_parts` parts."""
    strings = Strings.of(strings)
    order, num_parts = sorted_order(strings), min(num_parts, len(strings) // _MIN_PART)
    if num_parts <= 1:
        return [order]
    size = -(-len(order) // num_parts)
    return [order[first : first + size] for first in range(0, len(order), size)]


def build_trie(
    strings: Sequence[Ids], begin_id: int, context: Ids, order: Ids | None = None
) -> Cooperative[Trie]:
    """Builds the trie of strings of ids, each after begin and the context.

    Args:
        order: the indices of the strings that it has, sorted; by default of all.
    """
    strings = Strings.of(strings)
    if order is None:
        order = sorted_order(strings)
        yield
    builder = TrieBuilder(strings, order, len(context))
    while builder.num_left:
        builder.add_block()
        yield
    head = np.concatenate([np.array([begin_id], dtype=np.int64), context])
    symbols = np.concatenate([head, *builder.tails])
    yield
    reads = yield from builder.reads()
    return builder.finish(symbols, reads)


class TrieBuilder:
    """Builds a trie from sorted strings, a block of them at a time.

    Each adds one stretch of nodes where it leaves the one before it.
    """

    def __init__(self, strings: Strings, order: Ids, num_context: int) -> None:
        self.tails: list[Ids] = []
        self._strings, self._order, self._num_context = strings, order, num_context
        self._lengths = strings.lengths[order]
        self._shared: Ids = np.zeros(len(order), dtype=np.int64)
        self._starts: Ids = np.zeros(len(order), dtype=np.int64)
        self._parents: Ids = np.zeros(len(order), dtype=np.int64)  # the node that a string's own ones follow
        self._num_done, self._num_nodes = 0, num_context + 1
        self._last = self._path = np.empty(0, dtype=np.int64)  # ids and nodes of the string before

    @property
    def num_left(self) -> int:
        """The number of strings to be added."""
        return len(self._order) - self._num_done

    def add_block(self) -> None:
        """Adds as many strings as fit in a table."""
        first = self._num_done
        block = slice(first, first + _num_lines(self._lengths[first:]))
        lengths, rows = self._lengths[block], self._order[block]
        depth = np.arange(int(lengths.max()))
        ids = np.full((len(rows) + 1, len(depth)), -1)
        inside = depth < lengths[:, None]
        last = self._last[: len(depth)]
        ids[0, : len(last)] = last
        ids[1:][inside] = self._strings.flat[self._strings.places(rows)]
        alike = (ids[1:] == ids[:-1]) & inside
        shared = np.where(alike.all(axis=1), len(depth), alike.argmin(axis=1)) if len(depth) else 0 * lengths
        starts = self._num_nodes + np.cumsum(lengths - shared) - (lengths - shared)
        own = inside & (depth >= shared[:, None])
        paths = _accumulated(own, starts - shared, self._path)
        self._starts[block], self._shared[block] = starts, shared
        self._parents[block] = self._followed(paths, shared)
        self.tails.append(ids[1:][own])
        self._num_nodes += int((lengths - shared).sum())
        self._last, self._path = ids[-1, : lengths[-1]], paths[-1, : lengths[-1]]
        self._num_done = block.stop

    def _followed(self, paths: Ids, shared: Ids) -> Ids:
        """Returns the node at the end of what each string shares with the one before."""
        above = np.zeros((1, paths.shape[1]), dtype=np.int64)
        last = self._path[: paths.shape[1]]
        above[0, : len(last)] = last
        before = np.concatenate([above, paths[:-1]])
        found = before[np.arange(len(shared)), np.maximum(shared, 1) - 1] if paths.shape[1] else shared
        return np.where(shared > 0, found, self._num_context)

    def reads(self) -> Cooperative[Ids]:
        """Returns for each string how many nodes the longest path down from its first own node reads.

        By depth: the strings that pass a node lie together, from the one whose own it is up to the next that
        has another node there. Shorter ones between them make no path longer.
        """
        shared, lengths = self._shared, self._lengths
        reads, begun = np.zeros(len(lengths), dtype=np.int64), shared < lengths
        for depth in np.unique(shared[begun]).tolist():
            rows = np.flatnonzero((shared <= depth) & (lengths > depth))
            longest = np.maximum.reduceat(lengths, rows)
            mine = shared[rows] == depth
            reads[rows[mine]] = longest[mine] - depth
            yield
        return reads

    def finish(self, symbols: Ids, reads: Ids) -> Trie:
        """Returns the trie, of which all strings were added."""
        begun = self._shared < self._lengths
        starts, parents = self._starts[begun], self._parents[begun]
        has_next = np.ones(self._num_nodes, dtype=np.bool_)
        has_next[starts + (self._lengths - self._shared)[begun] - 1] = False
        has_next[self._num_context] = False
        goes_on = parents == starts - 1  # where the last string ended
        has_next[parents[goes_on]] = True
        parents = parents[~goes_on]
        by_parent = np.argsort(parents, kind="stable")
        counts = np.bincount(parents, minlength=self._num_nodes)
        must_read = has_next | (counts > 0)
        return Trie(
            symbols=symbols,
            has_next=has_next,
            must_read=must_read,
            run=_runs(has_next & (counts == 0), must_read),
            first_branch=np.concatenate([[0], np.cumsum(counts)]),
            heads=starts[~goes_on][by_parent],
            reads=reads[begun][~goes_on][by_parent],
            num_context=self._num_context,
            _order=self._order,
            _starts=self._starts,
            _shared=self._shared,
            _lengths=self._lengths,
        )


def _num_lines(lengths: Ids) -> int:
    """Returns how many of the next strings fit in a table of `_MAX_CELLS`; at least one."""
    longest = np.maximum.accumulate(lengths[:_MAX_LINES])
    return max(1, int((longest * np.arange(1, len(longest) + 1) <= _MAX_CELLS).sum()))


def _runs(single: NodeFlags, must_read: NodeFlags) -> Ids:
    """Returns by node how many nodes, from it on, follow one another as only children that are read."""
    continues = single.copy()
    continues[:-1] &= must_read[1:]
    continues[-1] = False
    stops = np.flatnonzero(~continues)
    nodes = np.arange(len(single))
    return stops[np.searchsorted(stops, nodes)] - nodes + 1
