import numpy as np
import pytest

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches import line_batches
from nextchar_training.batches.batch import IGNORED, Batch
from nextchar_training.batches.line_batches import LineBatches
from nextchar_training.batches.lines import EncodedLines
from nextchar_training.text.code_points import Text

_VOCABULARY = Vocabulary(tuple("abc"), unit="line")  # a b c unknown end begin
_UNKNOWN, _END, _BEGIN = 3, 4, 5
_TEXT = "\n".join("abc"[i % 3] * (1 + i % 7) + "b" * (i % 2) for i in range(100))


def _batches(*, batch_size: int = 4, window: int = 10) -> LineBatches:
    lines = EncodedLines(Text.of(_TEXT), _VOCABULARY)
    return LineBatches(lines, unknown_id=_UNKNOWN, batch_size=batch_size, window=window, seed=1)


def _targets(batch: Batch) -> list[str]:
    columns = [column[column != IGNORED] for column in batch.targets.T.numpy()]
    assert all(column[-1] == _END for column in columns)
    return [_VOCABULARY.decode(column) for column in columns]


def test_a_line_is_read_from_begin_and_predicted_to_its_end() -> None:
    inputs, targets = EncodedLines(Text.of("ab\nc"), _VOCABULARY).matrices(np.array([0, 1]))
    assert inputs.T.tolist() == [[_BEGIN, 0, 1], [_BEGIN, 2, _END]]
    assert targets.T.tolist() == [[0, 1, _END], [2, _END, IGNORED]]


def test_a_line_that_is_cut_has_no_end() -> None:
    inputs, targets = EncodedLines(Text.of("abcabc"), _VOCABULARY).matrices(np.array([0]), max_chars=3)
    assert inputs[:, 0].tolist() == [_BEGIN, 0, 1, 2]
    assert targets[:, 0].tolist() == [0, 1, 2, IGNORED]


def test_the_sequence_holds_every_line_between_begin_and_end() -> None:
    sequence = EncodedLines(Text.of("ab\nc"), _VOCABULARY).sequence()
    assert sequence.tolist() == [_BEGIN, 0, 1, _END, _BEGIN, 2, _END]


def test_an_epoch_holds_every_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_batches, "UNKNOWN_RATE", 0.0)
    source = _batches()
    seen: list[str] = []
    num_chars = 0
    while num_chars < source.num_chars_per_epoch:
        batch = source.next_batch()
        num_chars += batch.num_chars
        seen += _targets(batch)
    assert num_chars == source.num_chars_per_epoch == len(_TEXT) - 99 + 100
    assert sorted(seen) == sorted(_TEXT.split("\n"))


def test_a_batch_stays_within_its_size_and_starts_without_state() -> None:
    source = _batches(window=5)
    for _ in range(30):
        batch = source.next_batch()
        assert batch.inputs.numel() <= 20
        assert not batch.keep.any()


def test_epochs_have_different_orders() -> None:
    source = _batches(window=2500)
    first, second = source.next_batch(), source.next_batch()
    assert not first.targets.equal(second.targets)


def test_a_line_over_the_batch_size_is_cut_to_it() -> None:
    lines = EncodedLines(Text.of("a" * 500 + "\nb"), _VOCABULARY)
    source = LineBatches(lines, unknown_id=None, batch_size=2, window=10, seed=0)
    assert max(source.next_batch().inputs.numel() for _ in range(2)) == 20


def test_unknown_is_put_in_place_of_characters_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_batches, "UNKNOWN_RATE", 1.0)
    batch = _batches().next_batch()
    assert set(batch.targets.unique().tolist()) <= {IGNORED, _UNKNOWN, _END}
    assert (batch.targets == _END).sum() == batch.targets.shape[1]
    assert (batch.inputs[1:] == _UNKNOWN).equal(batch.targets[:-1] == _UNKNOWN)


def test_a_restored_reader_goes_on_with_the_same_batches() -> None:
    source, other = _batches(), _batches()
    for _ in range(50):  # into the second epoch
        source.next_batch()
    other.load_state_dict(source.state_dict())
    for _ in range(30):
        a, b = source.next_batch(), other.next_batch()
        assert a.inputs.equal(b.inputs)
        assert a.targets.equal(b.targets)
