import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.measure import protocols as evaluation
from nextchar_training.measure.protocols import MAX_LOGITS, line_loss, pieces, stream_loss, window_loss
from nextchar_training.network.network import CharRNN, ModelConfig
from nextchar_training.text.code_points import Text


@pytest.fixture
def model() -> CharRNN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CharRNN(ModelConfig("lstm", 6, 5, embedding_size=4, hidden_size=8, num_layers=1)).eval()


@torch.no_grad()
def _nats(model: CharRNN, inputs: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log p of each target, one character at a time."""
    state, nats = None, []
    for read, wanted in zip(inputs.tolist(), targets.tolist(), strict=True):
        logits, state = model(torch.tensor([[read]]), state)
        nats.append(-logits[0, 0].double().log_softmax(0)[wanted].item())
    return np.array(nats)


def test_a_stream_of_one_lane_is_one_pass_over_the_text(model: CharRNN) -> None:
    text = np.random.default_rng(0).integers(0, 5, 700)
    expected = _nats(model, np.concatenate([[5], text[:-1]]), text)[200:].mean()
    assert stream_loss(model, text[200:], before=text[:200]) == pytest.approx(expected, abs=1e-6)


def test_each_lane_is_warmed_on_the_text_before_it(model: CharRNN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WARM_CHARS", 30)
    monkeypatch.setattr(evaluation, "_MIN_LANE_CHARS", 50)
    text = np.random.default_rng(0).integers(0, 5, 330)
    expected = [
        _nats(model, np.concatenate([[5], text[start : start + 79]]), text[start : start + 80])[30:]
        for start in range(0, 300, 50)
    ]
    assert stream_loss(model, text[30:], before=text[:30]) == pytest.approx(np.mean(expected), abs=1e-6)


def test_without_text_before_only_the_first_lane_starts_cold(
    model: CharRNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "WARM_CHARS", 30)
    monkeypatch.setattr(evaluation, "_MIN_LANE_CHARS", 50)
    text = np.random.default_rng(0).integers(0, 5, 300)
    expected = []
    for start in range(0, 300, 50):
        warm = min(30, start)
        read = text[start - warm : start + 50]
        expected.append(_nats(model, np.concatenate([[5], read[:-1]]), read)[warm:])
    nothing = np.empty(0, dtype=np.int64)
    assert stream_loss(model, text, before=nothing) == pytest.approx(
        np.concatenate(expected).mean(), abs=1e-6
    )


@pytest.mark.parametrize("num_outputs", [5, 300, 20_000, 10**8])
@pytest.mark.parametrize("shape", [(1, 1), (1000, 700), (300_000, 2), (3, 100_000)])
def test_no_call_of_a_network_has_more_logits_than_fit_into_memory(
    num_outputs: int, shape: tuple[int, int]
) -> None:
    group = np.broadcast_to(np.int64(0), shape), np.broadcast_to(np.int64(0), shape)
    sizes = [read.size for _, read, _ in pieces(group, num_outputs)]
    assert sum(sizes) == np.prod(shape)
    assert max(sizes) * num_outputs <= max(MAX_LOGITS, num_outputs)


def test_a_network_reads_pieces_as_it_reads_the_whole(
    model: CharRNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = np.random.default_rng(1).integers(0, 5, 3000)
    expected = window_loss(model, text)
    monkeypatch.setattr(evaluation, "MAX_LOGITS", 5 * 7 * 3)
    assert window_loss(model, text) == pytest.approx(expected, abs=1e-9)


def test_each_window_starts_cold_and_predicts_all_but_the_first_character(model: CharRNN) -> None:
    text = np.random.default_rng(1).integers(0, 5, 600)
    expected = np.concatenate(
        [_nats(model, text[at : min(at + 256, 599)], text[at + 1 : at + 257]) for at in (0, 256, 512)]
    )
    assert len(expected) == 599
    assert window_loss(model, text) == pytest.approx(expected.mean(), abs=1e-6)


def test_a_line_is_scored_from_begin_to_end(model: CharRNN) -> None:
    vocabulary = Vocabulary(tuple("abc"), unit="line")
    lines = EncodedLines(Text.of("abba\nc\nbcbcbcb"), vocabulary)
    expected = np.concatenate(
        [
            _nats(model, np.array([5, 0, 1, 1, 0]), np.array([0, 1, 1, 0, 4])),
            _nats(model, np.array([5, 2]), np.array([2, 4])),
            _nats(model, np.array([5, 1, 2, 1, 2, 1, 2, 1]), np.array([1, 2, 1, 2, 1, 2, 1, 4])),
        ]
    )
    assert line_loss(model, lines) == pytest.approx(expected.mean(), abs=1e-6)
