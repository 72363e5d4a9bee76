"""Reads a PyTorch state dict: finds by shape what each tensor is, or takes what it is told to be."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.network import ForeignNetwork
from nextchar_training.foreign.recurrent_tensors import find_layers
from nextchar_training.foreign.tensor_pool import TensorPool
from nextchar_training.network.weights import Array, Weights

_PREFIXES = re.compile(r"^(?:module\.|_orig_mod\.|model\.)+")


def read_state_dict(path: Path) -> dict[str, Array]:
    """Loads the tensors of a checkpoint; only tensors and plain values are unpickled.

    Raises:
        ImportRefused: the file is a pickled module, or no checkpoint, or has no tensors.
    """
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ImportRefused(f"cannot read {path.name}: {error.strerror}", param="file") from None
    except Exception as error:  # noqa: BLE001  torch raises anything from KeyError to UnpicklingError
        raise ImportRefused(
            f"{path.name} cannot be loaded without running what is in it ({type(error).__name__}): save the "
            "weights alone, torch.save(model.state_dict(), path)",
            param="file",
        ) from None
    tensors = _tensors(content)
    if tensors is None:
        raise ImportRefused(f"{path.name} has no state dict: it holds no tensors by name", param="file")
    return arrays_of(tensors)


def arrays_of(state: Mapping[str, Tensor]) -> dict[str, Array]:
    """Returns the tensors as float32 arrays, by their names without the prefixes of wrappers."""
    return {_PREFIXES.sub("", name): value.detach().float().cpu().numpy() for name, value in state.items()}


def _tensors(content: Any) -> dict[str, Tensor] | None:
    """Returns the first mapping in a checkpoint whose values are tensors."""
    if not isinstance(content, Mapping):
        return None
    if content and all(isinstance(value, Tensor) for value in content.values()):
        return {str(name): value for name, value in content.items()}
    return next((found for value in content.values() if (found := _tensors(value))), None)


def find_network(
    tensors: Mapping[str, Array],
    *,
    num_symbols: int,
    cell: Cell | None = None,
    told: Mapping[str, str] | None = None,
) -> ForeignNetwork:
    """Finds a network of at least `num_symbols` symbols in named tensors.

    `told` gives tensors by what they are: `embedding`, `output`, `output_bias`, `start`, and `input`,
    `recurrent`, `input_bias` and `recurrent_bias` of layer N as `input_N`, …. A `cell` that is not given is
    what the number of gates says.

    Raises:
        ImportRefused: the tensors are not those of one recurrent network, or there are others.
    """
    pool = TensorPool(tensors, told or {})
    found, layers = find_layers(pool, cell)
    input_size, hidden_size = layers[0].input.shape[1], layers[0].recurrent.shape[1]
    embedding = pool.told("embedding")
    # The output has one row per symbol too, and as many columns where the layers are as wide as their input.
    num_others = 1 if input_size == hidden_size and not pool.is_told("output") else 0
    no_embedding = embedding is None and pool.num_matrices(input_size, num_symbols) <= num_others
    one_hot = no_embedding and input_size >= num_symbols
    if one_hot:
        embedding = np.eye(input_size, dtype=np.float32)
    elif embedding is None:
        embedding = pool.take_matrix(input_size, num_symbols, role="embedding", first=True)
    output = pool.told("output")
    if output is None:
        output = pool.take_matrix(hidden_size, num_symbols, role="output", first=False)
    bias = pool.told("output_bias")
    if bias is None:
        bias = pool.take_vector(len(output))
    start = pool.told("start")
    if start is None:
        start = pool.take_start(hidden_size)
    pool.refuse_what_is_left()
    if len(embedding) < len(output):
        raise ImportRefused(
            f"the network must read every symbol that it predicts (it reads {len(embedding)} and predicts "
            f"{len(output)})"
        )
    zeros = np.zeros(len(output), dtype=np.float32)
    weights = Weights(found, embedding, layers, output, zeros if bias is None else bias)
    return ForeignNetwork(weights, one_hot, start)
