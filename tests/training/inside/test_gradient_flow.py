import numpy as np
import pytest
import torch

from nextchar.model.card import Cell
from nextchar_training.inside.gradient_flow import GradientFlow, gradient_flow
from nextchar_training.inside.small_networks import train_small
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.text.code_points import Text
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.split import Split, split_corpus
from nextchar_training.text.vocabulary import build_vocabulary, encode

_SENTENCE = "the quick brown fox jumps over a lazy dog while seven kind wizards box up my quilt"
_IDS = np.random.default_rng(0).integers(0, 5, 400)


def _linear(factor: float) -> CharRNN:
    """A ReLU network that is linear: its state is multiplied by a factor at each step, and stays positive."""
    model = CharRNN(ModelConfig("rnn_relu", 6, 5, 4, 8, 1)).eval().requires_grad_(False)
    layer = model.layers[0]
    layer.recurrent.copy_(factor * torch.eye(8))
    layer.input.zero_()
    layer.input_bias.fill_(1.0)
    return model


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.1])
def test_of_a_linear_network_it_is_the_power_of_its_factor(factor: float) -> None:
    flow = gradient_flow(_linear(factor), _IDS, max_distance=30)
    assert flow.norms[0] == pytest.approx(1, abs=0.15)  # an estimate from four random vectors
    np.testing.assert_allclose(flow.norms / flow.norms[0], factor ** np.arange(31.0), rtol=1e-4)
    assert flow.decay == pytest.approx(factor, rel=1e-4)


def test_the_distance_needs_a_text() -> None:
    with pytest.raises(ValueError, match=r"at least 400 characters for distance 300 \(it has 399\)"):
        gradient_flow(_linear(1.0), _IDS[:399], max_distance=300)


@pytest.fixture(scope="module")
def split() -> Split:
    words = _SENTENCE.split()
    draw = np.random.default_rng(0)
    text = "".join(" ".join(draw.choice(words, draw.integers(2, 9))) + "\n" for _ in range(900))
    corpus = Corpus("words", Text.of(text), (0,), "", "", "")
    return split_corpus(corpus, unit="text", heldout=0.1, development=0, window=64)


@pytest.fixture(scope="module")
def tanh(split: Split) -> GradientFlow:
    return _flow(split, "rnn_tanh")


def _flow(split: Split, cell: Cell) -> GradientFlow:
    vocabulary = build_vocabulary(split, min_count=1, unknown="symbol", normalization="none")
    return gradient_flow(train_small(cell, split, vocabulary, steps=60), encode(vocabulary, split.heldout))


def test_gradients_of_tanh_vanish_and_those_of_an_lstm_last(split: Split, tanh: GradientFlow) -> None:
    lstm, relu = (_flow(split, cell) for cell in ("lstm", "rnn_relu"))
    assert tanh.norms[50] < lstm.norms[50] / 100
    assert tanh.norms[50] < relu.norms[50] / 100  # near the identity from the start
    assert tanh.decay < min(lstm.decay, relu.decay)


def test_the_decay_of_tanh_is_exponential(tanh: GradientFlow) -> None:
    distances, logs = np.arange(5, 60), np.log(tanh.norms[5:60])
    assert np.corrcoef(distances, logs)[0, 1] < -0.98
