"""Holds the tensors of a foreign network until it is known what each one is."""

import re
from collections.abc import Mapping

import numpy as np

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.network.weights import Array

ROLES = re.compile(r"embedding|output|output_bias|start|(?:input|recurrent|input_bias|recurrent_bias)_[0-9]+")
_REASONS = {
    r"norm|\bln|bn\d": "layer or batch normalisation",
    r"attn|attention|query|key|value": "attention",
    r"conv": "convolution",
}


class TensorPool:
    """Takes tensors by role, name or shape; what is left in the end is of a network of another kind."""

    def __init__(self, tensors: Mapping[str, Array], told: Mapping[str, str]) -> None:
        self.left = dict(tensors)
        self._told: dict[str, Array] = {}
        for role, name in told.items():
            if ROLES.fullmatch(role) is None:
                raise ImportRefused(
                    f"a tensor must be told as embedding, output, output_bias, start, or input_N, "
                    f"recurrent_N, input_bias_N or recurrent_bias_N (is {role!r})",
                    param="tensor",
                )
            if name not in self.left:
                raise ImportRefused(
                    f"{role} must be one of the tensors {', '.join(tensors)} (is {name!r})", param="tensor"
                )
            self._told[role] = self.left.pop(name)

    def told(self, role: str) -> Array | None:
        """Returns the tensor that was told to be this."""
        return self._told.pop(role, None)

    def is_told(self, role: str) -> bool:
        """Returns whether a tensor was told to be this."""
        return role in self._told

    def names(self, pattern: str) -> list[re.Match[str]]:
        """Returns the matches of a pattern with the whole names of tensors, in their order."""
        return [match for name in self.left if (match := re.fullmatch(pattern, name))]

    def take(self, name: str) -> Array | None:
        """Takes a tensor by its name, if it is there."""
        return self.left.pop(name, None)

    def num_matrices(self, num_columns: int, num_symbols: int) -> int:
        """Returns how many matrices have some columns and at least one row per symbol."""
        return len(self._fitting(num_columns, num_symbols))

    def _fitting(self, num_columns: int, num_symbols: int) -> list[str]:
        return [
            name
            for name, array in self.left.items()
            if array.ndim == 2 and array.shape[1] == num_columns and array.shape[0] >= num_symbols
        ]

    def take_matrix(self, num_columns: int, num_symbols: int, *, role: str, first: bool) -> Array:
        """Takes the first (or the last) matrix of at least `num_symbols` rows and this many columns."""
        fitting = self._fitting(num_columns, num_symbols)
        if not fitting:
            raise ImportRefused(
                f"no tensor can be the {role}: at least {num_symbols} rows, one per symbol, and "
                f"{num_columns} columns; there are {self.describe()}; name it with --tensor {role}=NAME",
                param="tensor",
            )
        return self.left.pop(fitting[0 if first else -1])

    def take_vector(self, size: int) -> Array | None:
        """Takes the last vector of a size, if there is one: a bias may be absent."""
        fitting = [name for name, array in self.left.items() if array.shape == (size,)]
        return self.left.pop(fitting[-1]) if fitting else None

    def take_start(self, hidden_size: int) -> Array | None:
        """Takes a learnt first state: one row of the hidden size, whose name says so."""
        for name, array in self.left.items():
            is_start = re.search(r"start|init|h0|h_0|hidden", name.lower()) is not None
            if is_start and array.size == hidden_size:
                return np.ravel(self.left.pop(name))
        return None

    def refuse_what_is_left(self) -> None:
        """Raises if a tensor is left over, because the network has a part that this package does not know."""
        left = [*self.left, *self._told]
        if not left:
            return
        reason = next(
            (text for pattern, text in _REASONS.items() if any(re.search(pattern, n.lower()) for n in left)),
            "a part that is not known here",
        )
        raise ImportRefused(
            f"the network has {reason}: {self.describe() or ', '.join(left)}; only embedding, RNN, LSTM or "
            "GRU layers and one linear layer can be served"
        )

    def describe(self) -> str:
        """Returns the tensors that are left, with their shapes."""
        return ", ".join(f"{name} {list(array.shape)}" for name, array in self.left.items())
