"""Makes training batches of whole lines: shuffled every epoch, lines of similar length together."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nextchar_training.batches.batch import IGNORED, Batch
from nextchar_training.batches.lines import EncodedLines, pack
from nextchar_training.batches.streams import UNKNOWN_RATE

# The number of batches whose lines are sorted by length together: little padding, and still random.
_POOL_BATCHES = 50


class LineBatches:
    """Yields batches of lines endlessly, each of at most `batch_size` × `window` symbols with its padding.

    The batches of an epoch and their order follow from the seed and the epoch's number alone, so the cursor
    is two numbers.
    """

    def __init__(
        self, lines: EncodedLines, *, unknown_id: int | None, batch_size: int, window: int, seed: int
    ) -> None:
        self.num_chars_per_epoch = lines.num_symbols
        self._lines, self._unknown_id = lines, unknown_id
        self.window, self._max_symbols, self._seed = window, batch_size * window, seed
        self._epoch, self._index = 0, 0
        self._order = self._shuffled()
        self.steps_per_epoch = float(len(self._order))  # of the first epoch: later ones differ by a few

    def next_batch(self) -> Batch:
        """Returns the next lines: ids int64 [longest line + 1, lines], targets padded with `IGNORED`."""
        if self._index == len(self._order):
            self._epoch, self._index = self._epoch + 1, 0
            self._order = self._shuffled()
        inputs, targets = self._lines.matrices(self._order[self._index], max_chars=self._max_symbols - 1)
        self._replace_some(inputs, targets)
        self._index += 1
        fresh = torch.zeros(inputs.shape[1], dtype=torch.bool)
        num_chars = int((targets != IGNORED).sum())
        return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), fresh, num_chars=num_chars)

    def _shuffled(self) -> list[NDArray[np.int64]]:
        random = np.random.default_rng([self._seed, self._epoch])
        lengths = np.minimum(self._lines.lengths, self._max_symbols - 1)
        rows = random.permutation(len(lengths))
        per_pool = max(1, int(_POOL_BATCHES * self._max_symbols / (lengths.mean() + 1)))
        batches: list[NDArray[np.int64]] = []
        for first in range(0, len(rows), per_pool):
            pool = rows[first : first + per_pool]
            batches += pack(pool[np.argsort(lengths[pool], kind="stable")], lengths, self._max_symbols)
        return [batches[i] for i in random.permutation(len(batches))]

    def _replace_some(self, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> None:
        """Makes a few characters unknown, both where they are predicted and where they are read."""
        if self._unknown_id is None:
            return
        random = np.random.default_rng([self._seed, self._epoch, self._index])
        chosen = (random.random(targets.shape) < UNKNOWN_RATE) & (targets < self._unknown_id) & (targets >= 0)
        targets[chosen] = self._unknown_id
        inputs[1:][chosen[:-1]] = self._unknown_id

    def state_dict(self) -> dict[str, Any]:
        """Returns the cursor: the epoch, and the number of its batches that are done."""
        return {"epoch": self._epoch, "index": self._index}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epoch, self._index = state["epoch"], state["index"]
        self._order = self._shuffled()
