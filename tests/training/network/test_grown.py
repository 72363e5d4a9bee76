"""A network that is given more characters says of the others what it said."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.network.grown import grow
from nextchar_training.network.network import CharRNN, ModelConfig

CHARACTERS = ("\n", "a", "b", "c")


def _network(vocabulary: Vocabulary, embedding_size: int) -> CharRNN:
    torch.manual_seed(0)
    sizes = vocabulary.num_inputs, vocabulary.num_outputs, embedding_size, 8, 1
    return CharRNN(ModelConfig("lstm", *sizes)).eval()


@torch.no_grad()
def _logprobs(model: CharRNN, vocabulary: Vocabulary, text: str) -> torch.Tensor:
    """Log p of every symbol after each character of a text, from begin."""
    read = torch.tensor([vocabulary.begin_id, *vocabulary.encode(text)])
    return model(read[:, None])[0][:, 0].double().log_softmax(-1)


@pytest.mark.parametrize("unit", ["text", "line"])
@pytest.mark.parametrize("embedding_size", [5, 0])
def test_a_new_character_shares_the_probability_of_the_unknown_symbol(unit: str, embedding_size: int) -> None:
    before = Vocabulary(CHARACTERS, unit)
    after = replace(before, characters=(*CHARACTERS, "x", "y"))
    model = _network(before, embedding_size)
    grown = grow(model, before, after)
    known = [*range(len(CHARACTERS)), *([before.end_id] if before.end_id is not None else [])]
    still = [*range(len(CHARACTERS)), *([after.end_id] if after.end_id is not None else [])]
    own, new = _logprobs(model, before, "ab\N{SNOWMAN}ca"), _logprobs(grown, after, "abxca")
    np.testing.assert_allclose(new[:, still], own[:, known], atol=1e-5)
    shares = new[:, [after.unknown_id, *after.encode("xy")]].exp()
    np.testing.assert_allclose(shares.sum(1), own[:, before.unknown_id].exp(), rtol=1e-4)
    np.testing.assert_allclose(shares[:, 1], shares[:, 0], rtol=1e-4)


def test_a_network_without_new_characters_is_the_same() -> None:
    vocabulary = Vocabulary(CHARACTERS, unknown="refuse")
    model = _network(vocabulary, 5)
    grown = grow(model, vocabulary, vocabulary)
    for name, value in model.state_dict().items():
        assert torch.equal(grown.state_dict()[name], value)


def test_without_an_unknown_symbol_a_new_character_is_read_as_the_mean_of_all() -> None:
    before = Vocabulary(CHARACTERS, unknown="refuse")
    after = replace(before, characters=(*CHARACTERS, "x"))
    grown = grow(_network(before, 5), before, after)
    rows = grown.embedding.weight
    torch.testing.assert_close(rows[4], rows[:4].mean(0))
