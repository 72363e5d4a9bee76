import pytest
import torch
from torch.nn import functional

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.measure.development import Development, calibrated
from nextchar_training.measure.protocols import mean_loss, predictions
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.text.code_points import Text, Unit
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.split import given_split


def _network(vocabulary: Vocabulary) -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(ModelConfig("gru", vocabulary.num_inputs, vocabulary.num_outputs, 4, 8, 1)).eval()


def _development(unit: Unit) -> tuple[Development, CharRNN]:
    text = "".join(f"{'ab' * (k % 7)}{'c' * (k % 3)}\n" for k in range(400))
    corpus = Corpus("x", Text.of(text), (0,), "", "", "")
    split = given_split(corpus, corpus, corpus, unit=unit)
    vocabulary = Vocabulary(("a", "b", "c") if unit == "line" else ("\n", "a", "b", "c"), unit=unit)
    return Development(split, vocabulary), _network(vocabulary)


def _frequencies(model: CharRNN, unit: Unit) -> CharRNN:
    """A network that says how often each symbol comes, whatever it has read."""
    counts = {"text": [400, 1198, 1198, 399, 1], "line": [1198, 1198, 399, 1, 400]}[unit]
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.copy_(torch.tensor(counts).log())
    return model


@pytest.mark.parametrize("unit", ["text", "line"])
@pytest.mark.parametrize("factor", [0.7, 1.0, 1.7])
def test_the_temperature_found_undoes_the_one_that_was_built_in(unit: Unit, factor: float) -> None:
    development, model = _development(unit)
    distorted = calibrated(_frequencies(model, unit), 1 / factor)
    assert development.best_temperature(distorted) == pytest.approx(factor, rel=0.04)


def test_a_calibrated_network_loses_less_than_an_overconfident_one() -> None:
    development, model = _development("text")
    sure = calibrated(_frequencies(model, "text"), 0.6)
    before = development.loss(sure)
    assert development.loss(calibrated(sure, development.best_temperature(sure))) < before - 0.03


def test_the_mean_loss_is_over_symbols_not_over_pieces() -> None:
    logits, wanted = torch.randn(7, 3), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    pieces = [(logits[:2], wanted[:2]), (logits[2:], wanted[2:])]
    assert mean_loss(pieces) == pytest.approx(functional.cross_entropy(logits, wanted).item())


@pytest.mark.parametrize("unit", ["text", "line"])
def test_no_temperature_near_the_one_found_is_better(unit: Unit) -> None:
    development, model = _development(unit)
    model = calibrated(_frequencies(model, unit), 0.8)
    found = development.best_temperature(model)

    def loss(temperature: float) -> float:
        read = predictions(model, [*development._warm, *development._cold])
        return mean_loss((logits / temperature, wanted) for logits, wanted in read)

    assert loss(found) == pytest.approx(min(loss(found * step) for step in (0.98, 0.99, 1, 1.01, 1.02)))
