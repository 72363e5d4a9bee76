"""Turns the arrays of a foreign network into a network of this package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.foreign.error import ImportRefused
from nextchar_training.foreign.symbols import Symbols
from nextchar_training.network.cells.table import CELLS
from nextchar_training.network.network import CharRNN, ModelConfig, RecurrentLayer
from nextchar_training.network.weights import Array, Weights

_SHUT = -100.0  # a gate's sum at which its sigmoid is 0 in float32


@dataclass(frozen=True)
class ForeignNetwork:
    """A network by its own ids: `weights.embedding` is the identity where characters are read one-hot.

    `start` float32 [hidden] is the state before the first character, where that is learnt; else zero.
    `taken` says what each named tensor was taken for, where that was found out.
    """

    weights: Weights
    is_one_hot: bool
    start: Array | None = None
    taken: Mapping[str, str] = field(default_factory=dict)

    @property
    def num_inputs(self) -> int:
        """The number of symbols that it reads; those that it never predicts have the last ids."""
        return len(self.weights.embedding)

    @property
    def num_symbols(self) -> int:
        """The number of symbols that it predicts."""
        return len(self.weights.output)


def adopt(foreign: ForeignNetwork, symbols: Symbols) -> tuple[CharRNN, Vocabulary]:
    """Makes a network of a foreign one, with ids of this package, and its vocabulary.

    What a foreign network is fed before a string's first character is the symbol *begin* here. Where its
    first state is learnt, that is folded into *begin*, whose step starts from zero.

    Raises:
        ImportRefused: the network has no symbol that a string can begin after, its first state cannot be
            folded, or a weight is not a number.
    """
    _check_finite(foreign)
    if symbols.begin is None:
        raise ImportRefused(
            "a symbol must be given that comes before a string's first character: --begin, such as '\\n' or "
            "the symbol that the network was first fed when it wrote text",
            param="begin",
        )
    vocabulary = Vocabulary(
        tuple(sorted(symbols.characters)),
        "text" if symbols.end is None else "line",
        "refuse" if symbols.unknown is None else "symbol",
    )
    outputs = _outputs(vocabulary, symbols)
    if foreign.start is not None:
        foreign = _one_hot(foreign)
    rows = [*outputs, symbols.begin]
    weights = _reordered(foreign, rows, outputs)
    model = _network(weights, one_hot=foreign.is_one_hot)
    if foreign.start is not None:
        _fold_start(model, foreign.start)
    return model, vocabulary


def own_forward(foreign: ForeignNetwork) -> Callable[[Tensor], Tensor]:
    """Returns the forward pass of a foreign network as it was found, by its own ids: [time] to logits."""
    inputs, outputs = list(range(foreign.num_inputs)), list(range(foreign.num_symbols))
    whole = _network(_reordered(foreign, inputs, outputs), one_hot=foreign.is_one_hot)
    state = None if foreign.start is None else (torch.tensor(foreign.start).view(1, 1, -1),)

    def forward(ids: Tensor) -> Tensor:
        logits: Tensor = whole(ids[:, None], state)[0]
        return logits[:, 0]

    return forward


def _check_finite(foreign: ForeignNetwork) -> None:
    weights = foreign.weights
    parts = [weights.embedding, weights.output, weights.output_bias]
    for layer in weights.layers:
        parts += [layer.input, layer.recurrent, layer.input_bias, layer.recurrent_bias]
    parts += [] if foreign.start is None else [foreign.start]
    if not all(np.isfinite(part).all() for part in parts):
        raise ImportRefused("the network's weights must be numbers (some are infinite or not a number)")


def _outputs(vocabulary: Vocabulary, symbols: Symbols) -> list[int]:
    """Returns the foreign id of each symbol that this package's network predicts, in its order."""
    ids = [symbols.characters[character] for character in vocabulary.characters]
    ids += [] if symbols.unknown is None else [symbols.unknown]
    return ids + ([] if symbols.end is None else [symbols.end])


def _one_hot(foreign: ForeignNetwork) -> ForeignNetwork:
    """Folds the embedding into the first layer, so that each symbol has summands of its own."""
    weights, (first, *others) = foreign.weights, foreign.weights.layers
    folded = replace(first, input=(first.input @ weights.embedding.T).astype(np.float32))
    identity = np.eye(len(weights.embedding), dtype=np.float32)
    return replace(
        foreign, weights=replace(weights, embedding=identity, layers=(folded, *others)), is_one_hot=True
    )


def _reordered(foreign: ForeignNetwork, inputs: list[int], outputs: list[int]) -> Weights:
    """Returns the weights with the rows of these symbols, in this order."""
    weights, (first, *others) = foreign.weights, foreign.weights.layers
    if foreign.is_one_hot:
        embedding = np.eye(len(inputs), dtype=np.float32)
        first = replace(first, input=first.input[:, inputs])
    else:
        embedding = weights.embedding[inputs]
    return replace(
        weights,
        embedding=embedding,
        layers=(first, *others),
        output=weights.output[outputs],
        output_bias=weights.output_bias[outputs],
    )


def _network(weights: Weights, *, one_hot: bool) -> CharRNN:
    config = ModelConfig(
        cell=weights.cell,
        num_inputs=len(weights.embedding),
        num_outputs=len(weights.output),
        embedding_size=0 if one_hot else weights.embedding.shape[1],
        hidden_size=weights.hidden_size,
        num_layers=len(weights.layers),
    )
    model = CharRNN(config)
    arrays = {
        "embedding.weight": weights.embedding,
        "output.weight": weights.output,
        "output.bias": weights.output_bias,
    }
    for index, layer in enumerate(weights.layers):
        for name in ("input", "recurrent", "input_bias", "recurrent_bias"):
            arrays[f"layers.{index}.{name}"] = getattr(layer, name)
    model.load_state_dict({name: torch.tensor(np.asarray(array)) for name, array in arrays.items()})
    return model.eval().requires_grad_(False)


@torch.no_grad()
def _fold_start(model: CharRNN, start: Array) -> None:
    """Sets what is read of *begin*, so that its step from zero ends where the step from `start` does."""
    layer, cell = model.layers[0], CELLS[model.config.cell]
    assert isinstance(layer, RecurrentLayer)
    begin = model.config.num_inputs - 1
    before = torch.tensor(start).view(1, 1, -1)
    if cell.states != ("h",) or len(model.layers) > 1:
        raise ImportRefused(
            f"a learnt first state must be of one layer of an RNN or GRU (is of {cell.title}, "
            f"{len(model.layers)} layers)"
        )
    if cell.num_gates == 1:
        layer.input[:, begin] += layer.recurrent @ before[0, 0]
        return
    _, (after,) = layer(model.embedding.weight[begin].view(1, 1, -1), (before,))
    if after.abs().max() >= 1:
        raise ImportRefused("a learnt first state must lie between -1 and 1 after its first step")
    reset, update, candidate = layer.input[:, begin].chunk(3)
    biases = layer.input_bias + layer.recurrent_bias * (0.0 if model.config.cell == "gru" else 1.0)
    # With both gates shut the state is the candidate's tanh alone: h' = n + 0 · (h - n).
    reset.fill_(_SHUT)
    update.fill_(_SHUT)
    candidate.copy_(torch.atanh(after[0, 0].double()).float() - biases.chunk(3)[2])
