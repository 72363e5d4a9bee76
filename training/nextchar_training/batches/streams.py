"""Makes training batches of running text: parallel streams whose state is carried from window to window."""

import json
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.batch import IGNORED, Batch
from nextchar_training.text.vocabulary import Ids

# The shares of a stream's windows that start afresh, so that the network learns the first characters of a
# string, and a cold start in the middle of a text.
LINE_START_RATE = 0.05
COLD_RATE = 0.02
# The share of characters replaced by the unknown symbol, which a text may not contain otherwise.
UNKNOWN_RATE = 1e-4
# A line's start is looked for this many windows ahead: what a skip passes over is not read in this pass.
_MAX_SKIPPED_WINDOWS = 8


class TextStreams:
    """Yields batches of one text endlessly, read at `batch_size` places at once.

    Each stream wraps around the whole text, so streams do not end together and an epoch is a number of
    characters. A document starts with the state zero and the first input `begin`; a window that reaches a
    document's end is padded from there. Between windows a stream may skip to the document's next line start
    and begin there as at a document's, or reset its state in place. Those skips move the window boundaries
    from epoch to epoch. Where no line starts soon, the stream begins in place and skips nothing: a text
    without newlines is read as whole as another.
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
        self._starts = np.unique([start for start in document_starts if start < len(ids)])
        assert self._starts[0] == 0, "the text must start with a document"
        self._ends = np.append(self._starts[1:], len(ids))
        self.num_chars_per_epoch = len(ids)
        self.steps_per_epoch = float(np.ceil((self._ends - self._starts) / window).sum()) / batch_size
        self.window = window
        self._ids = ids
        self._begin_id, self._unknown_id = vocabulary.begin_id, vocabulary.unknown_id
        self._random = np.random.default_rng(seed)
        self._newline_id = newline_id
        self._positions = np.arange(batch_size) * len(ids) // batch_size  # of each stream's next target
        self._fresh = True

    def next_batch(self) -> Batch:
        """Returns the next window: ids int64 [at most window, batch_size], targets padded with `IGNORED`."""
        begins = self._move_to_starts()
        keep = ~begins & (self._random.random(len(begins)) >= COLD_RATE)
        lengths = np.minimum(self._document_ends() - self._positions, self.window)
        offsets = np.arange(-1, lengths.max())[:, None] + self._positions  # [time + 1, batch]
        symbols = self._ids[offsets % len(self._ids)].astype(np.int64)
        if self._unknown_id is not None:
            symbols[self._random.random(symbols.shape) < UNKNOWN_RATE] = self._unknown_id
        symbols[0, begins] = self._begin_id
        inputs, targets = symbols[:-1], symbols[1:].copy()
        targets[np.arange(len(targets))[:, None] >= lengths] = IGNORED
        self._positions = (self._positions + lengths) % len(self._ids)
        return Batch(
            torch.from_numpy(inputs),
            torch.from_numpy(targets),
            torch.from_numpy(keep),
            num_chars=int(lengths.sum()),
        )

    def _document_ends(self) -> NDArray[np.int64]:
        """Returns where the document of each stream ends, int64 [batch]."""
        return self._ends[np.searchsorted(self._ends, self._positions, side="right")]

    def _move_to_starts(self) -> NDArray[np.bool_]:
        """Moves some streams forward to a start; returns bool [batch], which ones begin there."""
        begins = np.isin(self._positions, self._starts)
        skips = self._random.random(len(self._positions)) < LINE_START_RATE
        skips |= self._fresh
        self._fresh = False
        ends = self._document_ends()
        for stream in np.flatnonzero(skips & ~begins):
            self._positions[stream] = self._line_start(int(self._positions[stream]), int(ends[stream]))
        return begins | skips

    def _line_start(self, position: int, end: int) -> int:
        """Returns the next start of a line, or the position if none is near in the document."""
        if self._newline_id is None:
            return position
        ahead = self._ids[position - 1 : min(end - 1, position + _MAX_SKIPPED_WINDOWS * self.window)]
        found = np.flatnonzero(ahead == self._newline_id)
        return position + int(found[0]) if len(found) else position

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
