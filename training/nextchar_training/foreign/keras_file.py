"""Reads a Keras model file, `.keras` or the older `.h5`: Embedding or one-hot, recurrent layers, Dense.

Keras orders an LSTM's gates i f c o, as PyTorch does, and a GRU's z r h, where PyTorch has r z n.
"""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.model.card import Cell
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.network import ForeignNetwork
from nextchar_training.network.weights import Array, LayerWeights, Weights, reorder_gates

_RECURRENT = ("SimpleRNN", "LSTM", "GRU")
_WITHOUT_WEIGHTS = ("InputLayer", "Dropout", "SpatialDropout1D")
_GRU_ORDER = (1, 0, 2)  # z r h → r z n

# A layer's class and options, and its arrays in the order in which Keras keeps them.
Layer = tuple[str, dict[str, Any], list[Array]]


def read_keras(path: Path) -> ForeignNetwork:
    """Reads the network of a file.

    Raises:
        ImportRefused: the file cannot be read, or the network cannot be served.
    """
    layers = [layer for layer in _layers(path) if layer[0] not in _WITHOUT_WEIGHTS]
    names = [name for name, _, _ in layers]
    allowed = _take_last_activation(layers)
    embedding = layers.pop(0)[2][0] if layers and layers[0][0] == "Embedding" else None
    *recurrent, (last, options, output) = layers or [("", {}, [])]
    _check_kinds([name for name, _, _ in recurrent], names)
    if last != "Dense" or not recurrent:
        raise ImportRefused(_expected(names))
    _check_option(options, "activation", allowed)
    made = [_recurrent(*layer) for layer in recurrent]
    if len({cell for cell, _ in made}) > 1:
        raise ImportRefused("all recurrent layers must be of one kind")
    widths = [layer.recurrent.shape[1] for _, layer in made]
    if len(set(widths)) > 1:
        raise ImportRefused(f"all recurrent layers must have one width (have {', '.join(map(str, widths))})")
    one_hot = embedding is None
    if embedding is None:
        embedding = np.eye(made[0][1].input.shape[1], dtype=np.float32)
    bias = output[1] if len(output) > 1 else np.zeros(output[0].shape[1], dtype=np.float32)
    weights = Weights(made[0][0], embedding, tuple(layer for _, layer in made), output[0].T.copy(), bias)
    return ForeignNetwork(weights, one_hot)


def _expected(found: list[str]) -> str:
    return (
        "the network must be an Embedding or one-hot input, SimpleRNN, LSTM or GRU layers and one Dense "
        f"layer (has {', '.join(found) or 'no layers'})"
    )


def _take_last_activation(layers: list[Layer]) -> tuple[str, ...]:
    """Takes an activation that is the last layer by itself; returns what the Dense layer may have then."""
    if not layers or layers[-1][0] != "Activation":
        return ("softmax", "linear")
    _check_option(layers.pop()[1], "activation", ("softmax", "linear"))
    return ("linear",)


def _check_kinds(found: list[str], names: list[str]) -> None:
    """Refuses layers that are not recurrent; `names` are of the whole network."""
    other = next((name for name in found if name not in _RECURRENT), None)
    if other == "Bidirectional":
        raise ImportRefused("the network is bidirectional: it reads what it should predict")
    if other is not None and "Normalization" in other:
        raise ImportRefused(f"the network has layer or batch normalisation: {other}")
    if other is not None:
        raise ImportRefused(_expected(names))


def _recurrent(name: str, options: dict[str, Any], arrays: list[Array]) -> tuple[Cell, LayerWeights]:
    if options.get("go_backwards"):
        raise ImportRefused(f"{name} must read forwards (go_backwards is true)")
    if name == "SimpleRNN":
        cell = _check_option(options, "activation", ("tanh", "relu"))
        return "rnn_tanh" if cell == "tanh" else "rnn_relu", _weights(arrays)
    _check_option(options, "activation", ("tanh",))
    _check_option(options, "recurrent_activation", ("sigmoid",))
    if name == "LSTM":
        return "lstm", _weights(arrays)
    cells: dict[bool, Cell] = {True: "gru", False: "gru_reset_first"}
    return cells[bool(options.get("reset_after"))], _weights(arrays, _GRU_ORDER)


def _check_option(options: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = options.get(name)
    if value not in allowed:
        raise ImportRefused(f"{name} must be {' or '.join(allowed)} (is {value!r})")
    return str(value)


def _weights(arrays: list[Array], order: tuple[int, ...] | None = None) -> LayerWeights:
    """Returns a layer's weights of kernel [in, gates·hidden], recurrent kernel and bias, if there is one."""
    inputs, recurrent = arrays[0].T, arrays[1].T
    biases = np.zeros((2, len(recurrent)), dtype=np.float32)
    if len(arrays) > 2:
        biases[: arrays[2].ndim] = arrays[2]  # one row is of the input; two are of the input and the state
    parts = (inputs, recurrent, *biases)
    if order is not None:
        parts = tuple(reorder_gates(part, order) for part in parts)
    return LayerWeights(*(np.ascontiguousarray(part) for part in parts))


def _layers(path: Path) -> list[Layer]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise ImportRefused("Keras files are HDF5, which needs a package: pip install h5py") from None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read("config.json"))
                with h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as file:
                    return _paired(config, _KerasArchive(file).arrays)
        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise ImportRefused(
                    f"{path.name} has weights alone, without the layers they are of: save the whole model, "
                    "model.save('model.keras')",
                    param="file",
                )
            return _paired(json.loads(file.attrs["model_config"]), _OlderFile(file["model_weights"]).arrays)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ImportRefused(f"{path.name} is not a Keras model file: {error}", param="file") from None


def _paired(config: dict[str, Any], arrays: Callable[[str, str], list[Array]]) -> list[Layer]:
    if isinstance(config["config"], list):
        raise ImportRefused(
            "the file must be of Keras 2.2.3 or newer (is older): load it with Keras 2.2.3 to 2.15 and "
            "save it again",
            param="file",
        )
    found: list[Layer] = []
    for layer in config["config"]["layers"]:
        name, options, inner = layer["class_name"], layer["config"], layer["config"].get("layer")
        if name == "TimeDistributed" and inner is not None:
            name, options = inner["class_name"], inner["config"]
        needs = name in (*_RECURRENT, "Embedding", "Dense")
        kept = arrays(layer["class_name"], layer["config"]["name"]) if needs else []
        if needs and not kept:
            raise ImportRefused(
                f"{name} must have weights (has none): call the model once before it is saved", param="file"
            )
        found.append((name, options, kept))
    return found


@dataclass
class _KerasArchive:
    """The arrays of a `.keras` file, which names a layer by its class and number: `lstm`, `lstm_1`, …"""

    file: Any
    seen: Counter[str] = field(default_factory=Counter)

    def arrays(self, class_name: str, _name: str) -> list[Array]:
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()
        snake = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}.get(class_name, snake)
        number = self.seen[snake]
        self.seen[snake] += 1
        group = self.file["layers"][f"{snake}_{number}" if number else snake]
        for inside in ("layer", "cell"):
            group = group.get(inside, group)
        kept = group["vars"]
        return [np.array(kept[str(k)], dtype=np.float32) for k in range(len(kept))]


@dataclass(frozen=True)
class _OlderFile:
    """The arrays of a `.h5` file, which lists the names of a layer's arrays."""

    file: Any

    def arrays(self, _class_name: str, name: str) -> list[Array]:
        group = self.file[name]
        return [np.array(group[path], dtype=np.float32) for path in group.attrs["weight_names"]]
