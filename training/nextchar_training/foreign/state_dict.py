"""Reads a PyTorch state dict: finds by shape what each tensor is, or takes what hints say."""

import re
from collections.abc import Iterator, Mapping
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
            f"{path.name} is not a PyTorch file of tensors alone ({type(error).__name__}): save the weights "
            "with torch.save(model.state_dict(), path)",
            param="file",
        ) from None
    tensors = max(_mappings(content), key=len, default=None)
    if tensors is None:
        raise ImportRefused(f"{path.name} has no state dict: it holds no tensors by name", param="file")
    return arrays_of(tensors)


def arrays_of(state: Mapping[str, Tensor]) -> dict[str, Array]:
    """Returns the tensors as float32 arrays, by their names without the prefixes of wrappers."""
    return {_PREFIXES.sub("", name): value.detach().float().cpu().numpy() for name, value in state.items()}


def _mappings(content: Any) -> Iterator[dict[str, Tensor]]:
    """Yields the mappings in a checkpoint whose values are tensors; the network's has the most."""
    if not isinstance(content, Mapping):
        return
    if content and all(isinstance(value, Tensor) for value in content.values()):
        yield {str(name): value for name, value in content.items()}
        return
    for value in content.values():
        yield from _mappings(value)


def find_network(
    tensors: Mapping[str, Array],
    *,
    num_symbols: int,
    cell: Cell | None = None,
    hints: Mapping[str, str] | None = None,
) -> ForeignNetwork:
    """Finds a network of at least `num_symbols` symbols in named tensors; the last may be read only.

    `hints` names tensors by what they are: `embedding`, `output`, `output_bias`, `start`, and `input`,
    `recurrent`, `input_bias` and `recurrent_bias` of layer N as `input_N`, …. A `cell` that is not given is
    what the number of gates says.

    Raises:
        ImportRefused: the tensors are not those of one recurrent network, or there are others.
    """
    pool = TensorPool(tensors, hints or {})
    found, layers = find_layers(pool, cell)
    input_size, hidden_size = layers[0].input.shape[1], layers[0].recurrent.shape[1]
    embedding = _take_embedding(pool, input_size, hidden_size, num_symbols)
    output = pool.hinted("output")
    if output is None and _is_tied(pool, embedding, hidden_size, num_symbols):
        output = embedding
    if output is None:
        output = pool.take_matrix(hidden_size, num_symbols - 1, role="output", first=False)
    bias, start = pool.hinted("output_bias"), pool.hinted("start")
    if bias is None:
        bias = pool.take_bias(len(output), "output_bias")
    if start is None:
        start = pool.take_start(hidden_size)
    pool.refuse_what_is_left()
    one_hot = embedding is None
    if embedding is None:
        embedding = np.eye(input_size, dtype=np.float32)
    zeros = np.zeros(len(output), dtype=np.float32)
    weights = Weights(found, embedding, layers, output, zeros if bias is None else bias)
    _check_sizes(weights, start)
    return ForeignNetwork(weights, one_hot, start, pool.taken)


def _take_embedding(pool: TensorPool, input_size: int, hidden_size: int, num_symbols: int) -> Array | None:
    """Takes the embedding; None where the network reads characters one-hot."""
    embedding = pool.hinted("embedding")
    if embedding is not None:
        return embedding
    # The output has one row per symbol too, and as many columns where the layers are as wide as their input.
    may_be_output = input_size == hidden_size and not pool.is_hinted("output")
    fitting = pool.fitting(input_size, num_symbols - 1)
    if may_be_output and len(fitting) == 1:
        raise ImportRefused(
            f"{fitting[0]} may be the output of a network that reads characters one-hot, or embedding and "
            f"output in one: give --tensor output={fitting[0]} or --tensor embedding={fitting[0]}",
            param="tensor",
        )
    if not fitting and input_size >= num_symbols:
        return None
    return pool.take_matrix(input_size, num_symbols, role="embedding", first=True)


def _is_tied(pool: TensorPool, embedding: Array | None, hidden_size: int, num_symbols: int) -> bool:
    """Returns whether no other matrix can be the output than the embedding itself."""
    fits = embedding is not None and embedding.shape[1] == hidden_size
    return fits and not pool.fitting(hidden_size, num_symbols - 1)


def _check_sizes(weights: Weights, start: Array | None) -> None:
    num_inputs, num_outputs, hidden_size = len(weights.embedding), len(weights.output), weights.hidden_size
    if num_inputs < num_outputs:
        raise ImportRefused(
            f"the network must read every symbol that it predicts (it reads {num_inputs} and predicts "
            f"{num_outputs})"
        )
    sizes = {
        "embedding must have as many columns as layer 0 has inputs": (
            weights.embedding.shape[1],
            weights.layers[0].input.shape[1],
        ),
        "output must have as many columns as a layer has units": (weights.output.shape[1], hidden_size),
        "output_bias must have a number per symbol": (len(weights.output_bias), num_outputs),
        "start must have a number per unit": (hidden_size if start is None else len(start), hidden_size),
    }
    for rule, (size, expected) in sizes.items():
        if size != expected:
            raise ImportRefused(f"{rule} ({expected}, has {size}): name another tensor", param="tensor")
