from pathlib import Path

import pytest
import torch

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.page.samples import (
    NUM_CHARS,
    TEMPERATURES,
    draw_texts,
    forget_after,
    keep_samples,
    read_samples,
)

_TEXT = Vocabulary(tuple("ab\n"))
_LINES = Vocabulary(tuple("ab"), unit="line")


def _network(vocabulary: Vocabulary) -> CharRNN:
    torch.manual_seed(0)
    config = ModelConfig("lstm", vocabulary.num_inputs, vocabulary.num_outputs, 4, 8, 1)
    return CharRNN(config).eval()


def test_a_text_depends_on_the_seed_and_on_no_other_text() -> None:
    model = _network(_TEXT)
    both = draw_texts(model, _TEXT, [0.5, 1.0], 80, seed=1)
    assert both == draw_texts(model, _TEXT, [0.5, 1.0], 80, seed=1)
    assert both != draw_texts(model, _TEXT, [0.5, 1.0], 80, seed=2)
    assert [len(text) for text in both] == [80, 80]


def test_a_low_temperature_takes_the_likeliest_and_unknown_is_never_drawn() -> None:
    model = _network(_TEXT)
    with torch.no_grad():
        model.output.bias[:] = torch.tensor([0.0, 3.0, 0.0, 9.0])  # unknown above all
    assert draw_texts(model, _TEXT, [0.01], 50, seed=1) == ["b" * 50]


def test_a_line_begins_anew_after_its_end() -> None:
    model = _network(_LINES)
    with torch.no_grad():
        model.output.bias[_LINES.end_id] = 1.0
    (text,) = draw_texts(model, _LINES, [1.0], 400, seed=1)
    lines = text.split("\n")[:-1]
    with torch.no_grad():
        first, _ = model(torch.tensor([[_LINES.begin_id]]))
    probabilities = first[0, 0, [0, 1, _LINES.end_id]].softmax(0).tolist()
    starts = [(line + "\n")[0] for line in lines]
    shares = [starts.count(character) / len(starts) for character in "ab\n"]
    assert shares == pytest.approx(probabilities, abs=0.1)


@pytest.mark.parametrize("step", [0, 10, 20])
def test_samples_of_later_steps_are_forgotten(tmp_path: Path, step: int) -> None:
    model = _network(_TEXT)
    for made_at in (10, 20):
        keep_samples(tmp_path, made_at, model, _TEXT)
    samples = read_samples(tmp_path)
    assert [sample.temperature for sample in samples] == [*TEMPERATURES, *TEMPERATURES]
    assert all(len(sample.text) == NUM_CHARS for sample in samples)
    forget_after(tmp_path, step)
    assert read_samples(tmp_path) == [sample for sample in samples if sample.step <= step]
