import numpy as np
import pytest
import torch

from nextchar_training.measure.dynamic import Dynamics, dynamic_loss
from nextchar_training.measure.protocols import stream_loss
from nextchar_training.network.network import CharRNN, ModelConfig

_DRAW = np.random.default_rng(0)
_TRAIN = _DRAW.integers(0, 5, 900)
# Held out, a pattern that the network has not seen.
_HELDOUT = np.tile([0, 1, 2, 3, 4, 4, 3], 80)


@pytest.fixture
def model() -> CharRNN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CharRNN(ModelConfig("gru", 6, 5, embedding_size=4, hidden_size=16, num_layers=2)).eval()


def _loss(model: CharRNN, heldout: np.ndarray, **dynamics: float) -> float:
    return dynamic_loss(model, heldout, before=_TRAIN[-50:], train=_TRAIN, dynamics=Dynamics(**dynamics))


@pytest.mark.parametrize("segment", [1, 7, 40, 1000])
def test_without_learning_it_is_the_static_loss(model: CharRNN, segment: int) -> None:
    static = stream_loss(model, _HELDOUT, before=_TRAIN[-50:])
    assert _loss(model, _HELDOUT, rate=0.0, segment=segment) == pytest.approx(static, abs=1e-6)


def test_a_new_pattern_is_learned_on_the_way(model: CharRNN) -> None:
    assert _loss(model, _HELDOUT, rate=3e-3, decay=0.0) < _loss(model, _HELDOUT, rate=0.0) - 0.2


def test_no_character_is_known_before_it_is_predicted(model: CharRNN) -> None:
    """What comes after a character changes nothing of what it cost."""
    other = _HELDOUT.copy()
    other[-10:] = (other[-10:] + 1) % 5
    first, second = (_loss(model, text[:-10], rate=3e-3) for text in (_HELDOUT, other))
    assert first == second
    ends = [
        _loss(model, text, rate=3e-3) * len(text) - first * (len(text) - 10) for text in (_HELDOUT, other)
    ]
    assert ends[1] > ends[0] + 3


def test_full_decay_forgets_what_was_learned(model: CharRNN) -> None:
    kept, forgotten = (_loss(model, _HELDOUT, rate=3e-3, decay=decay) for decay in (0.0, 1.0))
    assert kept < forgotten


def test_the_model_is_left_as_it_was(model: CharRNN) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    _loss(model, _HELDOUT, rate=1e-2)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
