"""Moves the memory of an adaptive session past text that it does not learn, and into another vocabulary."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from nextchar.engine.adaptive.memory import Memory
from nextchar.model.vocabulary import Ids
from nextchar.service.sessions.state import Marks


def passed_over(memory: Memory, ids: Ids) -> Memory:
    """Returns a memory after ids that are context only: no count and no weight changes."""
    position = memory.position + len(ids)
    held = position - memory.adaptive.window_start(position)
    all_ids = np.concatenate([memory.ids, ids.astype(np.uint16)])
    learned = np.concatenate([memory.learned, np.zeros(len(ids), dtype=np.bool_)])
    first = max(0, len(all_ids) - held)
    return replace(memory, position=position, ids=all_ids[first:].copy(), learned=learned[first:].copy())


def runs(learned: Marks) -> Iterator[tuple[int, int, bool]]:
    """Yields the first and the last place of each run of characters that are learned, or are not."""
    ends = [*(np.flatnonzero(np.diff(learned)) + 1).tolist(), len(learned)]
    for first, last in zip([0, *ends], ends, strict=False):
        if first < last:
            yield first, last, bool(learned[first])


def translated(memory: Memory, translate: Callable[[Ids], Ids]) -> Memory:
    """Returns a memory of the same text in another vocabulary; it counts from the first character it has.

    Characters that the vocabulary refuses are left out. Runs that are learned or not are translated apart.
    """
    pieces = [
        (translate(memory.ids[first:last].astype(np.int64)), learned)
        for first, last, learned in runs(memory.learned)
    ]
    ids = np.concatenate([np.empty(0, dtype=np.int64), *(piece for piece, _ in pieces)])
    marks = [np.full(len(piece), learned) for piece, learned in pieces]
    learned_ids = np.concatenate([np.empty(0, dtype=np.bool_), *marks])
    first = memory.adaptive.window_start(len(ids))
    return replace(memory, position=len(ids), ids=ids[first:].astype(np.uint16), learned=learned_ids[first:])
