"""Defines a training batch and where batches come from."""

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

IGNORED = -100  # a target that is padding; torch's default


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids to read and ids to predict, int64 [time, batch]; `keep` bool [batch]: carry the state on."""

    inputs: Tensor
    targets: Tensor
    keep: Tensor
    num_chars: int


class Batches(Protocol):
    """An endless, resumable source of batches."""

    num_chars_per_epoch: int
    steps_per_epoch: float
    window: int
    """The symbols of a batch, at most, per column of `batch_size`."""

    def next_batch(self) -> Batch:
        """Returns the next batch."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the cursor as plain values."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the cursor."""
        ...
