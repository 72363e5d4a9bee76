"""Finds the recurrent layers among the tensors of a PyTorch state dict.

Three ways of writing them are known: torch.nn.RNN, LSTM and GRU (`weight_ih_l0`, …) and their cells
(`weight_ih`, …); one linear layer per gate over [x, h] (`xh_to_z.weight`, …), as in makemore; and any two
matrices that fit each other, [gates·hidden, in] and [gates·hidden, hidden].

A GRU that is written gate by gate is taken as makemore's: the reset gate comes before the product, and the
update gate weighs the new state, h' = (1 - z) · h + z · n (Chung et al. 2014). PyTorch's z is 1 minus that,
which is the sigmoid of the same sum with the other sign.
"""

import re
from itertools import pairwise

import numpy as np

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.tensor_pool import TensorPool
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.weights import Array, LayerWeights

_BY_NUM_GATES: dict[int, Cell] = {1: "rnn_tanh", 3: "gru", 4: "lstm"}
# The last part of a gate's name, by gate, in PyTorch's order; `h` is the whole state where it is alone.
_GATES: dict[Cell, list[set[str]]] = {
    "rnn_tanh": [{"h", "hidden"}],
    "gru_reset_first": [{"r", "reset"}, {"z", "u", "update"}, {"hbar", "h", "n", "candidate", "new"}],
    "lstm": [
        {"i", "in", "input"},
        {"f", "forget"},
        {"g", "c", "cbar", "candidate", "cell"},
        {"o", "out", "output"},
    ],
}
_UPDATE = 1  # the number of a GRU's update gate
Layers = tuple[LayerWeights, ...]


def find_layers(pool: TensorPool, cell: Cell | None) -> tuple[Cell, Layers]:
    """Takes the recurrent layers from the pool; returns their cell and their weights.

    Raises:
        ImportRefused: there are none, or of a kind that cannot be served.
    """
    _refuse_variants(pool)
    found = _told(pool) or _of_torch(pool) or _by_gate(pool) or _by_shape(pool)
    if found is None:
        raise ImportRefused(
            f"no recurrent layer is among the tensors {pool.describe()}: name its parts with --tensor "
            "input_0=NAME and recurrent_0=NAME",
            param="tensor",
        )
    cells, layers = found
    _check_widths(layers)
    if cell is not None and CELLS[cell].num_gates != CELLS[cells].num_gates:
        raise ImportRefused(
            f"cell must have {CELLS[cells].num_gates} gates as the weights do ({cell} has "
            f"{CELLS[cell].num_gates})",
            param="cell",
        )
    return cell or cells, layers


def _refuse_variants(pool: TensorPool) -> None:
    if pool.names(r".*_reverse"):
        raise ImportRefused("the network is bidirectional: it reads what it should predict")
    if pool.names(r".*weight_hr(_l\d+)?"):
        raise ImportRefused("the LSTM has projections (proj_size), which no served graph has")


def _check_widths(layers: Layers) -> None:
    widths = [layer.recurrent.shape[1] for layer in layers]
    if len(set(widths)) > 1:
        raise ImportRefused(f"all recurrent layers must have one width (have {', '.join(map(str, widths))})")
    for below, layer in zip(widths, layers[1:], strict=False):
        if layer.input.shape[1] != below:
            raise ImportRefused(
                f"every recurrent layer must read the one below alone ({layer.input.shape[1]} inputs for "
                f"{below} units)"
            )


def _layer(
    inputs: Array, recurrent: Array, input_bias: Array | None, recurrent_bias: Array | None
) -> LayerWeights:
    zeros = np.zeros(len(recurrent), dtype=np.float32)
    return LayerWeights(
        input=inputs,
        recurrent=recurrent,
        input_bias=zeros if input_bias is None else input_bias,
        recurrent_bias=zeros if recurrent_bias is None else recurrent_bias,
    )


def _cell_of(recurrent: Array) -> Cell:
    num_gates, rest = divmod(recurrent.shape[0], recurrent.shape[1])
    if rest or num_gates not in _BY_NUM_GATES:
        raise ImportRefused(
            f"recurrent weights must be [gates · hidden, hidden] with 1, 3 or 4 gates (are "
            f"{list(recurrent.shape)})"
        )
    return _BY_NUM_GATES[num_gates]


def _told(pool: TensorPool) -> tuple[Cell, Layers] | None:
    layers: list[LayerWeights] = []
    while (inputs := pool.told(f"input_{len(layers)}")) is not None:
        index = len(layers)
        recurrent = pool.told(f"recurrent_{index}")
        if recurrent is None:
            raise ImportRefused(f"--tensor recurrent_{index}=NAME must be given too", param="tensor")
        biases = pool.told(f"input_bias_{index}"), pool.told(f"recurrent_bias_{index}")
        layers.append(_layer(inputs, recurrent, *biases))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None


def _of_torch(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes the weights of torch.nn's recurrent modules or cells, module by module, layer by layer."""
    layers = []
    for match in pool.names(r"(.*)weight_ih(_l\d+)?"):
        stem, number = match[1], match[2] or ""
        inputs, recurrent = pool.take(match[0]), pool.take(f"{stem}weight_hh{number}")
        if inputs is None or recurrent is None:
            raise ImportRefused(f"{match[0]} must have {stem}weight_hh{number} beside it")
        biases = pool.take(f"{stem}bias_ih{number}"), pool.take(f"{stem}bias_hh{number}")
        layers.append(_layer(inputs, recurrent, *biases))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None


def _by_gate(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes one linear layer per gate over [x, h], as makemore writes cells."""
    by_name = {}
    for match in pool.names(r"(?:.*\.)?[A-Za-z0-9_]*(?:to_|[._])([a-z]+)\.weight"):
        matrix = pool.left[match[0]]
        if matrix.ndim == 2 and matrix.shape[1] > matrix.shape[0]:
            by_name[match[1]] = match[0].removesuffix(".weight")
    for cell, gates in _GATES.items():
        names = [next((by_name[name] for name in gate if name in by_name), None) for gate in gates]
        if len(by_name) == len(gates) and None not in names:
            signs = [-1.0 if cell == "gru_reset_first" and gate is gates[_UPDATE] else 1.0 for gate in gates]
            return cell, (_joined(pool, [name for name in names if name is not None], signs),)
    return None


def _joined(pool: TensorPool, names: list[str], signs: list[float]) -> LayerWeights:
    matrices = [pool.left.pop(f"{name}.weight") for name in names]
    biases = [pool.take(f"{name}.bias") for name in names]
    hidden = matrices[0].shape[0]
    if {matrix.shape for matrix in matrices} != {matrices[0].shape}:
        raise ImportRefused("the linear layers of the gates must have one shape")
    known = [np.zeros(hidden, dtype=np.float32) if bias is None else bias for bias in biases]
    known = [np.float32(sign) * bias for sign, bias in zip(signs, known, strict=True)]
    whole = np.concatenate([np.float32(sign) * part for sign, part in zip(signs, matrices, strict=True)])
    return _layer(
        np.ascontiguousarray(whole[:, :-hidden]),
        np.ascontiguousarray(whole[:, -hidden:]),
        np.concatenate(known),
        None,
    )


def _by_shape(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes pairs of matrices of which the second is [gates·hidden, hidden], in the order of the file."""
    names, layers = list(pool.left), []
    for first, second in pairwise(names):
        a, b = pool.left.get(first), pool.left.get(second)
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
            continue
        if b.shape[0] % b.shape[1] or b.shape[0] // b.shape[1] not in _BY_NUM_GATES:
            continue
        inputs, recurrent = pool.left.pop(first), pool.left.pop(second)
        stem = re.split(r"[._]", first)[0]
        biases = [
            pool.take(name)
            for name in list(pool.left)
            if pool.left[name].shape == (len(recurrent),) and name.startswith(stem)
        ][:2]
        layers.append(_layer(inputs, recurrent, *biases, *[None] * (2 - len(biases))))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None
