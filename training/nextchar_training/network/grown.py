"""Gives a network more characters, made from what it knows of unknown ones."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.network.network import CharRNN


def grow(model: CharRNN, before: Vocabulary, after: Vocabulary) -> CharRNN:
    """Returns the network with the characters of `after`, which begin with those of `before`.

    A new character is read and predicted as the unknown symbol was, and the probability of that is shared out
    evenly among both. Without an unknown symbol it is read as the mean of all characters, and is predicted as
    seldom as a character whose row is the mean of all rows.
    """
    assert after.characters[: len(before.characters)] == before.characters
    num_new = len(after.characters) - len(before.characters)
    config = replace(model.config, num_inputs=after.num_inputs, num_outputs=after.num_outputs)
    grown = CharRNN(config)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    for name in ("output.weight", "output.bias"):
        state[name] = _with_rows(state[name], before, num_new)
    if before.unknown_id is not None:
        first = len(before.characters)
        state["output.bias"][first : first + num_new + 1] -= math.log(num_new + 1)
    if config.embedding_size:
        state["embedding.weight"] = _with_rows(state["embedding.weight"], before, num_new)
    else:  # one-hot: a symbol's row is a column of the first layer
        state["embedding.weight"] = torch.eye(config.num_inputs)
        first_layer = "layers.0.input"
        state[first_layer] = _with_rows(state[first_layer].T, before, num_new).T.contiguous()
    grown.load_state_dict(state)
    return grown


def _with_rows(rows: Tensor, vocabulary: Vocabulary, num_new: int) -> Tensor:
    """Returns rows [symbols, …] with `num_new` more behind the characters."""
    num_characters = len(vocabulary.characters)
    like = rows[:num_characters].mean(0) if vocabulary.unknown_id is None else rows[vocabulary.unknown_id]
    new = like.expand(num_new, *like.shape)
    return torch.cat([rows[:num_characters], new, rows[num_characters:]])
