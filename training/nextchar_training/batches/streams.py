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
# A stream that is to start afresh reads on to the end of a line, for at most this many windows.
_MAX_WAITING_WINDOWS = 64
_NOT_WAITING = -1
# At the start of a run a stream begins with a line if one starts within this many windows.
_MAX_MOVED_WINDOWS = 8


class TextStreams:
    """Yields batches of one text endlessly, read at `batch_size` places at once.

    Each stream wraps around the whole text, so streams do not end together and an epoch is a number of
    characters. A document starts with the state zero and the first input `begin`; a window that reaches a
    document's end is padded from there. Some windows end with a line instead, and the next one begins there
    as at a document's start; or the state is reset in place. The shorter windows move the window boundaries
    from epoch to epoch. Nothing is skipped: every pass reads every character. Where no line ends soon, a
    stream begins in place.
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
        # Of each stream: its next target, whether it begins there, and for how many windows it has waited.
        self._positions = self._first_positions(batch_size)
        self._begins = np.ones(batch_size, dtype=bool)
        self._waited = np.full(batch_size, _NOT_WAITING)

    def next_batch(self) -> Batch:
        """Returns the next window: ids int64 [at most window, batch_size], targets padded with `IGNORED`."""
        begins = self._begins | np.isin(self._positions, self._starts)
        keep = ~begins & (self._random.random(len(begins)) >= COLD_RATE)
        lengths = self._choose_lengths()
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

    def _first_positions(self, batch_size: int) -> NDArray[np.int64]:
        """Spreads the streams evenly, each moved on to the start of a line if one is near, int64 [batch]."""
        positions = np.arange(batch_size) * len(self._ids) // batch_size
        ends = self._document_ends(positions)
        for stream in np.flatnonzero(~np.isin(positions, self._starts)):
            near = min(ends[stream] - 1, positions[stream] + _MAX_MOVED_WINDOWS * self.window)
            found = self._newlines(positions[stream] - 1, near)
            positions[stream] += found[0] if len(found) else 0
        return positions

    def _newlines(self, first: int, end: int) -> NDArray[np.int64]:
        """Returns where newlines are in a part of the text, counted from `first`."""
        if self._newline_id is None:
            return np.empty(0, dtype=np.int64)
        found: NDArray[np.int64] = np.flatnonzero(self._ids[first:end] == self._newline_id)
        return found

    def _document_ends(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns where the document of each stream ends, int64 [batch]."""
        return self._ends[np.searchsorted(self._ends, positions, side="right")]

    def _choose_lengths(self) -> NDArray[np.int64]:
        """Returns how far each stream reads, int64 [batch], and notes which ones begin after that."""
        left = self._document_ends(self._positions) - self._positions
        lengths: NDArray[np.int64] = np.minimum(left, self.window)
        self._begins[:] = False
        chosen = self._random.random(len(lengths)) < LINE_START_RATE
        self._waited[chosen & (self._waited == _NOT_WAITING)] = 0
        for stream in np.flatnonzero(self._waited != _NOT_WAITING):
            first = self._positions[stream]
            newlines = self._newlines(first, first + lengths[stream])
            self._waited[stream] += 1
            if len(newlines):
                lengths[stream] = newlines[-1] + 1
            elif self._newline_id is not None and self._waited[stream] < _MAX_WAITING_WINDOWS:
                continue
            self._begins[stream], self._waited[stream] = True, _NOT_WAITING
        return lengths

    def state_dict(self) -> dict[str, Any]:
        """Returns where every stream is, and the generator's state, as plain values."""
        return {
            "positions": torch.from_numpy(self._positions.copy()),
            "begins": torch.from_numpy(self._begins.copy()),
            "waited": torch.from_numpy(self._waited.copy()),
            "random": json.dumps(self._random.bit_generator.state),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the cursor."""
        self._positions = state["positions"].numpy().copy()
        self._begins = state["begins"].numpy().copy()
        self._waited = state["waited"].numpy().copy()
        self._random.bit_generator.state = json.loads(state["random"])
