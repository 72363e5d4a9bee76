import numpy as np
import pytest

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches import streams
from nextchar_training.batches.batch import Batch
from nextchar_training.batches.streams import TextStreams

_VOCABULARY = Vocabulary(("\n", *"abcdefghijklmnopqrstuvwxyz"))
_TEXT = "".join("abcdefghijklmnopqrstuvwxyz"[i % 26 :] + "\n" for i in range(60))


def _streams(text: str = _TEXT, *, batch_size: int = 4, starts: tuple[int, ...] = (0,)) -> TextStreams:
    return TextStreams(
        _VOCABULARY.encode(text),
        _VOCABULARY,
        newline_id=0,
        document_starts=starts,
        batch_size=batch_size,
        window=8,
        seed=3,
    )


@pytest.fixture
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No skips, no cold starts and no unknown symbols."""
    for rate in ("LINE_START_RATE", "COLD_RATE", "UNKNOWN_RATE"):
        monkeypatch.setattr(streams, rate, 0.0)


def _columns(batch: Batch) -> tuple[list[list[int]], list[list[int]]]:
    return batch.inputs.T.tolist(), batch.targets.T.tolist()


def test_targets_are_the_inputs_one_character_later() -> None:
    batch = _streams().next_batch()
    assert batch.inputs.shape == batch.targets.shape == (8, 4)
    assert batch.inputs[1:].equal(batch.targets[:-1])
    assert batch.num_chars == 32


def test_every_stream_starts_at_a_line_start_with_begin_and_no_state() -> None:
    batch = _streams().next_batch()
    assert batch.inputs[0].tolist() == [_VOCABULARY.begin_id] * 4
    assert not batch.keep.any()
    lines = [line + "\n" for line in _TEXT.split("\n")]
    for column in batch.targets.T:
        text = _VOCABULARY.decode(column.numpy())
        assert any(line.startswith(text) or text.startswith(line) for line in lines)


@pytest.mark.usefixtures("_plain")
def test_a_stream_goes_on_where_it_stopped() -> None:
    source = _streams(batch_size=1)
    text = "".join(_VOCABULARY.decode(source.next_batch().targets[:, 0].numpy()) for _ in range(20))
    assert text == _TEXT[:160]


@pytest.mark.usefixtures("_plain")
def test_the_input_of_a_carried_window_is_the_last_target_before_it() -> None:
    source = _streams()
    first, second = source.next_batch(), source.next_batch()
    assert second.keep.all()
    assert second.inputs[0].equal(first.targets[-1])


@pytest.mark.usefixtures("_plain")
def test_a_document_starts_with_begin_and_no_state() -> None:
    start = _TEXT.index("\n", 100) + 1
    source = _streams(batch_size=1, starts=(0, start))
    batches = [source.next_batch() for _ in range(30)]
    fresh = [i for i, batch in enumerate(batches) if i and not batch.keep.all()]
    assert fresh == [start // 8]
    inputs, targets = _columns(batches[fresh[0]])
    assert inputs[0][0] == _VOCABULARY.begin_id
    assert _VOCABULARY.decode(targets[0]) == _TEXT[start : start + 8]


@pytest.mark.usefixtures("_plain")
def test_the_end_of_the_text_is_followed_by_its_start() -> None:
    source = _streams(_TEXT[:100], batch_size=1)
    seen = [_columns(source.next_batch()) for _ in range(13)]
    assert _VOCABULARY.decode(seen[-1][1][0]) == _TEXT[:8]
    assert seen[-1][0][0][0] == _VOCABULARY.begin_id


def test_some_windows_start_a_line_some_start_cold_and_most_go_on() -> None:
    source = _streams(batch_size=16)
    batches = [source.next_batch() for _ in range(400)]
    begins = np.array([(batch.inputs[0] == _VOCABULARY.begin_id).numpy() for batch in batches])
    keeps = np.array([batch.keep.numpy() for batch in batches])
    assert not (begins & keeps).any()
    assert 0.04 < begins.mean() < 0.08
    assert 0.01 < (~begins & ~keeps).mean() < 0.03


def test_the_unknown_symbol_is_read_and_predicted_though_the_text_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "UNKNOWN_RATE", 0.05)
    batch = _streams(batch_size=16).next_batch()
    unknown = _VOCABULARY.unknown_id
    assert (batch.targets == unknown).any()
    assert (batch.inputs[1:] == unknown).equal(batch.targets[:-1] == unknown)


def test_a_restored_reader_goes_on_with_the_same_batches() -> None:
    source, other = _streams(), _streams()
    for _ in range(7):
        source.next_batch()
    other.load_state_dict(source.state_dict())
    for _ in range(20):
        a, b = source.next_batch(), other.next_batch()
        assert a.inputs.equal(b.inputs)
        assert a.targets.equal(b.targets)
        assert a.keep.equal(b.keep)
