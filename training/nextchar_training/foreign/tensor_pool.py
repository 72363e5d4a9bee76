"""Holds the tensors of a foreign network until it is known what each one is."""

import re
from collections.abc import Mapping

import numpy as np

from nextchar_training.foreign.error import ImportRefused
from nextchar_training.network.weights import Array

_MATRICES = re.compile(r"embedding|output|(?:input|recurrent)_[0-9]+")
_VECTORS = re.compile(r"output_bias|start|(?:input|recurrent)_bias_[0-9]+")
_REASONS = {
    r"norm|\bln|bn\d": "layer or batch normalisation",
    r"attn|attention|query|key|value": "attention",
    r"conv": "convolution",
}


class TensorPool:
    """Takes tensors by role, name or shape; what is left in the end is of a network of another kind.

    `taken` says what each tensor was taken for.
    """

    def __init__(self, tensors: Mapping[str, Array], hints: Mapping[str, str]) -> None:
        self.left = dict(tensors)
        self.taken: dict[str, str] = {}
        self._hinted: dict[str, tuple[str, Array]] = {}
        for role, name in hints.items():
            if not _MATRICES.fullmatch(role) and not _VECTORS.fullmatch(role):
                raise ImportRefused(
                    "a tensor's role must be embedding, output, output_bias, start, input_N, recurrent_N, "
                    f"input_bias_N or recurrent_bias_N (is {role!r})",
                    param="tensor",
                )
            if name not in tensors:
                raise ImportRefused(
                    f"{role} must be one of the tensors {', '.join(tensors)} (is {name!r})", param="tensor"
                )
            self._hinted[role] = name, _fitting_role(role, name, tensors[name])
            self.left.pop(name, None)

    def hinted(self, role: str) -> Array | None:
        """Returns the tensor that a hint says is this; one tensor may have two roles."""
        name, array = self._hinted.pop(role, ("", None))
        if array is not None:
            self._note(name, role)
        return array

    def is_hinted(self, role: str) -> bool:
        """Returns whether a hint says which tensor is this."""
        return role in self._hinted

    def names(self, pattern: str) -> list[re.Match[str]]:
        """Returns the matches of a pattern with the whole names of tensors, in their order."""
        return [match for name in self.left if (match := re.fullmatch(pattern, name))]

    def take(self, name: str, role: str) -> Array | None:
        """Takes a tensor by its name for a role, if it is there."""
        array = self.left.pop(name, None)
        if array is not None:
            self._note(name, role)
        return array

    def fitting(self, num_columns: int, num_rows: int) -> list[str]:
        """Returns the names of the matrices of some columns and at least so many rows."""
        return [
            name
            for name, array in self.left.items()
            if array.ndim == 2 and array.shape[1] == num_columns and array.shape[0] >= num_rows
        ]

    def take_matrix(self, num_columns: int, num_rows: int, *, role: str, first: bool) -> Array:
        """Takes the first (or the last) matrix of at least `num_rows` rows and this many columns."""
        fitting = self.fitting(num_columns, num_rows)
        if not fitting:
            raise ImportRefused(
                f"no tensor can be the {role}: at least {num_rows} rows, one per symbol, and "
                f"{num_columns} columns; there are {self.describe()}; name it with --tensor {role}=NAME",
                param="tensor",
            )
        name = fitting[0 if first else -1]
        self._note(name, role)
        return self.left.pop(name)

    def take_bias(self, size: int, role: str) -> Array | None:
        """Takes the last vector of a size whose name says that it is a bias, if there is one."""
        fitting = [name for name, array in self.left.items() if array.shape == (size,) and is_bias(name)]
        return self.take(fitting[-1], role) if fitting else None

    def take_start(self, hidden_size: int) -> Array | None:
        """Takes a learnt first state: one row of the hidden size, whose name says so."""
        for name, array in self.left.items():
            is_start = re.search(r"start|init|h0|h_0|hidden", name.lower()) is not None
            if is_start and array.size == hidden_size:
                self._note(name, "start")
                return np.ravel(self.left.pop(name))
        return None

    def refuse_what_is_left(self) -> None:
        """Raises if a tensor is left over, because the network has a part that this package does not know."""
        left = [*self.left, *self._hinted]
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

    def _note(self, name: str, role: str) -> None:
        self.taken[name] = f"{self.taken[name]} and {role}" if name in self.taken else role


def is_bias(name: str) -> bool:
    """Returns whether a name says bias, or its last part begins with b."""
    return "bias" in name.lower() or re.split(r"[._]", name)[-1].lower().startswith("b")


def _fitting_role(role: str, name: str, array: Array) -> Array:
    is_matrix = _MATRICES.fullmatch(role) is not None
    fits = array.ndim == 2 if is_matrix else array.size == max(array.shape, default=0)
    if not fits:
        raise ImportRefused(
            f"{role} must be a {'matrix' if is_matrix else 'vector'} ({name} is {list(array.shape)}): name "
            "another tensor",
            param="tensor",
        )
    return array if is_matrix else np.ravel(array)
