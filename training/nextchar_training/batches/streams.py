"""Makes training batches of running text: parallel streams whose state is carried from window to window."""

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import Batch
from nextchar_training.text.vocabulary import Ids

# The shares of a stream's windows that start afresh, so that the network learns the first characters of a
# string, and a cold start in the middle of a text.
LINE_START_RATE = 0.05
COLD_RATE = 0.02
# The share of characters replaced by the unknown symbol, which a text may not contain otherwise.
UNKNOWN_RATE = 1e-4
_LOOK_AHEAD = 4096  # characters searched at a time for a line's end


class TextStreams:
    """Yields batches of one text endlessly, read at `batch_size` places at once.

    Each stream wraps around the whole text, so streams do not end together and an epoch is a number of
    characters. Between windows a stream may skip to its next line start (state zero, first input `begin`),
    reset its state in place, or restart at a document's edge. Those skips move the window boundaries from
    epoch to epoch.
    """

    def __init__(
        self,
        ids: Ids,
        vocabulary: Vocabulary,
        *,
        newline_id: int | None,
        document_starts: tuple[int, ...],
        batch_size: int,
        window: int,
        seed: int,
    ) -> None:
        self.num_chars_per_epoch = len(ids)
        self.steps_per_epoch = len(ids) / (batch_size * window)
        self._ids = ids
        self._begin_id, self._unknown_id = vocabulary.begin_id, vocabulary.unknown_id
        self._window = window
        self._random = np.random.default_rng(seed)
        self._newline_id = newline_id
        self._restarts = np.array([*document_starts, len(ids)])
        self._positions = np.arange(batch_size) * len(ids) // batch_size  # of each stream's next target
        self._fresh = True

    def next_batch(self) -> Batch:
        """Returns the next window: ids int64 [window, batch_size]."""
        begins = self._move_to_starts()
        keep = ~begins & (self._random.random(len(begins)) >= COLD_RATE)
        offsets = np.arange(-1, self._window)[:, None] + self._positions  # [window + 1, batch]
        symbols = self._ids[offsets % len(self._ids)].astype(np.int64)
        if self._unknown_id is not None:
            symbols[self._random.random(symbols.shape) < UNKNOWN_RATE] = self._unknown_id
        symbols[0, begins] = self._begin_id
        self._positions = (self._positions + self._window) % len(self._ids)
        tensor = torch.from_numpy(symbols)
        return Batch(tensor[:-1], tensor[1:], torch.from_numpy(keep), num_chars=tensor[1:].numel())

    def _move_to_starts(self) -> NDArray[np.bool_]:
        """Moves some streams forward to a start; returns bool [batch], which ones begin there."""
        skips = self._random.random(len(self._positions)) < LINE_START_RATE
        skips |= self._fresh
        self._fresh = False
        ends = self._restarts[np.searchsorted(self._restarts, self._positions, side="right")]
        crosses = ends < self._positions + self._window
        for stream in np.flatnonzero(skips & ~crosses):
            self._positions[stream] = self._line_start(int(self._positions[stream]))
        self._positions = np.where(crosses, ends % len(self._ids), self._positions)
        return skips | crosses

    def _line_start(self, position: int) -> int:
        """Returns the first start of a line at or after a position; the text's start after the last one."""
        if self._newline_id is None or position == 0:
            return 0
        for first in range(position - 1, len(self._ids) - 1, _LOOK_AHEAD):
            found = np.flatnonzero(self._ids[first : first + _LOOK_AHEAD] == self._newline_id)
            if len(found):
                return (first + int(found[0]) + 1) % len(self._ids)
        return 0

    def state_dict(self) -> dict[str, Any]:
        """Returns every stream's position and the generator's state, as plain values."""
        return {
            "positions": torch.from_numpy(self._positions.copy()),
            "fresh": self._fresh,
            "random": json.dumps(self._random.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._positions = state["positions"].numpy().copy()
        self._fresh = state["fresh"]
        self._random.bit_generator.state = json.loads(state["random"])
