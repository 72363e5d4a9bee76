"""Finds the recurrent layers among the tensors of a PyTorch state dict.

Three ways of writing them are known: torch.nn.RNN, LSTM and GRU (`weight_ih_l0`, …) and their cells
(`weight_ih`, …); one linear layer per gate over [x, h] (`xh_to_z.weight`, …), as in makemore; and any two
matrices that fit each other, [gates·hidden, in] and [gates·hidden, hidden]. No shape says whether
a layer is over [x, h] or [h, x]: only a comparison with the original's own code does.

A GRU that is written gate by gate is taken as makemore's: the reset gate comes before the product, and the
update gate weighs the new state, h' = (1 - z) · h + z · n (Chung et al. 2014). PyTorch's z is 1 minus that,
which is the sigmoid of the same sum with the other sign.
"""

from itertools import pairwise

import numpy as np

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.tensor_pool import TensorPool, is_bias
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
_NAMES = {name for gates in _GATES.values() for names in gates for name in names}
_FAMILIES: list[tuple[Cell, ...]] = [("rnn_tanh", "rnn_relu"), ("lstm",), ("gru", "gru_reset_first")]
_UPDATE = 1  # the number of a GRU's update gate
Layers = tuple[LayerWeights, ...]


def find_layers(pool: TensorPool, cell: Cell | None) -> tuple[Cell, Layers]:
    """Takes the recurrent layers from the pool; returns their cell and their weights.

    Raises:
        ImportRefused: there are none, or of a kind that cannot be served.
    """
    _refuse_variants(pool)
    found = _hinted(pool) or _of_torch(pool) or _by_gate(pool) or _by_shape(pool)
    if found is None:
        raise ImportRefused(
            f"no recurrent layer is among the tensors {pool.describe()}: name its parts with --tensor "
            "input_0=NAME and recurrent_0=NAME",
            param="tensor",
        )
    own, layers = found
    _check_shapes(layers)
    family = next(cells for cells in _FAMILIES if own in cells)
    if cell is not None and cell not in family:
        raise ImportRefused(
            f"cell must be {' or '.join(CELLS[one].flag for one in family)}, as the weights are (is "
            f"{CELLS[cell].flag})",
            param="cell",
        )
    return cell or own, layers


def _refuse_variants(pool: TensorPool) -> None:
    if pool.names(r".*_reverse"):
        raise ImportRefused("the network is bidirectional: it reads what it should predict")
    if pool.names(r".*weight_hr(_l\d+)?"):
        raise ImportRefused("the LSTM has projections (proj_size), which no served graph has")


def _check_shapes(layers: Layers) -> None:
    for number, layer in enumerate(layers):
        rows = {len(part) for part in (layer.input, layer.recurrent, layer.input_bias, layer.recurrent_bias)}
        if len(rows) > 1:
            raise ImportRefused(
                f"the weights and biases of layer {number} must have as many rows each (have "
                f"{', '.join(map(str, sorted(rows)))})",
                param="tensor",
            )
    if len({_cell_of(layer.recurrent) for layer in layers}) > 1:
        raise ImportRefused("all recurrent layers must be of one kind")
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
    if not _is_recurrent(recurrent):
        raise ImportRefused(
            f"recurrent weights must be [gates · hidden, hidden] with 1, 3 or 4 gates (are "
            f"{list(recurrent.shape)})"
        )
    return _BY_NUM_GATES[len(recurrent) // recurrent.shape[1]]


def _hinted(pool: TensorPool) -> tuple[Cell, Layers] | None:
    layers: list[LayerWeights] = []
    while (inputs := pool.hinted(f"input_{len(layers)}")) is not None:
        index = len(layers)
        recurrent = pool.hinted(f"recurrent_{index}")
        if recurrent is None:
            raise ImportRefused(f"--tensor recurrent_{index}=NAME must be given too", param="tensor")
        biases = pool.hinted(f"input_bias_{index}"), pool.hinted(f"recurrent_bias_{index}")
        layers.append(_layer(inputs, recurrent, *biases))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None


def _of_torch(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes the weights of torch.nn's recurrent modules or cells, module by module, layer by layer."""
    layers: list[LayerWeights] = []
    for match in pool.names(r"(.*)weight_ih(_l\d+)?"):
        stem, number = match[1], match[2] or ""
        index = len(layers)
        inputs = pool.take(match[0], f"input_{index}")
        recurrent = pool.take(f"{stem}weight_hh{number}", f"recurrent_{index}")
        if inputs is None or recurrent is None:
            raise ImportRefused(f"{match[0]} must have {stem}weight_hh{number} beside it")
        biases = (
            pool.take(f"{stem}bias_ih{number}", f"input_bias_{index}"),
            pool.take(f"{stem}bias_hh{number}", f"recurrent_bias_{index}"),
        )
        layers.append(_layer(inputs, recurrent, *biases))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None


def _by_gate(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes one linear layer per gate over [x, h], as makemore writes cells."""
    by_shape: dict[tuple[int, ...], dict[str, str]] = {}
    for match in pool.names(r"(?:.*\.)?[A-Za-z0-9_]*(?:to_|[._])([a-z]+)\.weight"):
        matrix = pool.left[match[0]]
        if match[1] in _NAMES and matrix.ndim == 2 and matrix.shape[1] > matrix.shape[0]:
            by_shape.setdefault(matrix.shape, {})[match[1]] = match[0].removesuffix(".weight")
    for by_name in by_shape.values():
        for cell, gates in _GATES.items():
            names = [next((by_name[name] for name in gate if name in by_name), "") for gate in gates]
            if len(by_name) == len(gates) and all(names):
                return cell, (_joined(pool, names, is_gru=cell == "gru_reset_first"),)
    return None


def _joined(pool: TensorPool, names: list[str], *, is_gru: bool) -> LayerWeights:
    weights, biases = [], []
    for gate, name in enumerate(names):
        sign = np.float32(-1 if is_gru and gate == _UPDATE else 1)
        matrix = pool.take(f"{name}.weight", f"gate {gate} of input_0 and recurrent_0, [x, h]")
        assert matrix is not None, "it was found by its name"
        bias = pool.take(f"{name}.bias", f"gate {gate} of input_bias_0")
        weights.append(sign * matrix)
        biases.append(np.zeros(len(matrix), dtype=np.float32) if bias is None else sign * bias)
    whole, hidden = np.concatenate(weights), len(weights[0])
    return _layer(
        np.ascontiguousarray(whole[:, :-hidden]),
        np.ascontiguousarray(whole[:, -hidden:]),
        np.concatenate(biases),
        None,
    )


def _by_shape(pool: TensorPool) -> tuple[Cell, Layers] | None:
    """Takes pairs of matrices of which the second is [gates·hidden, hidden], in the order of the file."""
    matrices = [name for name, array in pool.left.items() if array.ndim == 2]
    layers: list[LayerWeights] = []
    for first, second in pairwise(matrices):
        a, b = pool.left.get(first), pool.left.get(second)
        if a is None or b is None or len(a) != len(b) or not _is_recurrent(b):
            continue
        index = len(layers)
        if _is_recurrent(a):
            raise ImportRefused(
                f"{first} {list(a.shape)} and {second} {list(b.shape)} may each be the input's or the "
                f"state's weights: say which with --tensor input_{index}=NAME and --tensor "
                f"recurrent_{index}=NAME",
                param="tensor",
            )
        pool.take(first, f"input_{index}")
        pool.take(second, f"recurrent_{index}")
        layers.append(_layer(a, b, *_biases(pool, first, second, len(b), index)))
    return (_cell_of(layers[0].recurrent), tuple(layers)) if layers else None


def _is_recurrent(matrix: Array) -> bool:
    if matrix.ndim != 2 or 0 in matrix.shape:
        return False
    num_gates, rest = divmod(matrix.shape[0], matrix.shape[1])
    return not rest and num_gates in _BY_NUM_GATES


def _biases(
    pool: TensorPool, first: str, second: str, size: int, index: int
) -> tuple[Array | None, Array | None]:
    """Takes the biases that stand in the modules of two matrices, that of the input first."""
    owners = [name.rpartition(".")[0] for name in (first, second)]
    roles = [f"input_bias_{index}", f"recurrent_bias_{index}"]
    found: dict[str, Array | None] = {}
    for name in [name for name, array in pool.left.items() if array.shape == (size,) and is_bias(name)]:
        owner = name.rpartition(".")[0]
        free = [role for role, of in zip(roles, owners, strict=True) if of == owner and role not in found]
        if free:
            found[free[0]] = pool.take(name, free[0])
    return found.get(roles[0]), found.get(roles[1])
