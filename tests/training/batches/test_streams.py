from itertools import accumulate

import numpy as np
import pytest

from nextchar.model.vocabulary import Vocabulary
from nextchar_training.batches import streams
from nextchar_training.batches.batch import IGNORED
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


def _texts(source: TextStreams, vocabulary: Vocabulary, num_batches: int) -> list[str]:
    """What one stream predicts, cut where it begins afresh."""
    texts: list[str] = []
    for _ in range(num_batches):
        batch = source.next_batch()
        begins = int(batch.inputs[0, 0]) == vocabulary.begin_id
        assert begins or batch.keep.all()
        assert batch.num_chars == len(batch.targets) == int((batch.targets != IGNORED).sum())
        text = vocabulary.decode(batch.targets[:, 0].numpy())
        texts = [*texts, text] if begins else [*texts[:-1], texts[-1] + text]
    return texts


@pytest.mark.usefixtures("_plain")
@pytest.mark.parametrize("lengths", [(40, 60), (16, 8, 8), (1, 7, 9, 1, 23), (3,), (5, 0, 11)])
def test_every_document_is_read_from_its_start_to_its_last_character(lengths: tuple[int, ...]) -> None:
    ends = list(accumulate(lengths))
    documents = [_TEXT[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    starts = (0, *ends[:-1])
    source = _streams(_TEXT[: ends[-1]], batch_size=1, starts=starts)
    num_windows = int(source.steps_per_epoch)
    assert num_windows == sum(-(-length // 8) for length in lengths)
    found = _texts(source, _VOCABULARY, 2 * num_windows)
    assert found == 2 * [document for document in documents if document]


@pytest.mark.usefixtures("_plain")
def test_streams_that_end_at_different_places_are_padded_and_every_character_is_predicted_once() -> None:
    starts = (0, 101, 130, 131, 180)
    text = _TEXT[:201]
    source = _streams(text, batch_size=5, starts=starts)
    source._positions = np.array(starts)  # one stream per document
    seen: list[list[int]] = [[] for _ in starts]
    for number in range(13):
        batch = source.next_batch()
        for column, ids in enumerate(batch.targets.T.tolist()):
            if len(seen[column]) < len(_document(text, starts, column)):
                seen[column] += [symbol_id for symbol_id in ids if symbol_id != IGNORED]
        assert batch.num_chars == int((batch.targets != IGNORED).sum()), number
    assert [_VOCABULARY.decode(ids) for ids in seen] == [_document(text, starts, k) for k in range(5)]


def _document(text: str, starts: tuple[int, ...], k: int) -> str:
    return text[slice(*(*starts, len(text))[k : k + 2])]


def _counts(num_chars: int, newlines: list[int], num_passes: int) -> np.ndarray:
    """How often each character of a text is predicted; all but its newlines are different."""
    vocabulary = Vocabulary(tuple(map(chr, range(0x4E00, 0x4E00 + num_chars))), unknown="refuse")
    ids = np.arange(num_chars)
    ids[newlines] = newlines[:1] * len(newlines)
    newline = newlines[0] if newlines else None
    source = TextStreams(
        ids, vocabulary, newline_id=newline, document_starts=(0,), batch_size=4, window=8, seed=3
    )
    seen = np.zeros(num_chars, dtype=int)
    for _ in range(int(num_passes * source.steps_per_epoch)):
        targets = source.next_batch().targets.numpy()
        np.add.at(seen, targets[targets != IGNORED], 1)
    return seen


def test_a_text_without_newlines_is_read_evenly() -> None:
    """A stream that would skip to the next line's start begins in place, not at the text's start."""
    assert set(_counts(5000, [], 4)) <= {3, 4, 5}


def test_every_pass_reads_long_lines_and_short_ones_evenly() -> None:
    """A stream that is to begin with a line reads on to its start: it skips nothing on the way there."""
    seen = _counts(6000, [*range(5, 1000, 10), *range(5000, 6000, 10)], 8)
    assert set(seen[1000:5000]) <= {6, 7, 8, 9}
    assert seen.sum() > 0.98 * 8 * 6000


def test_a_stream_begins_with_the_line_that_follows_a_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_START_RATE", 1.0)
    source = _streams("a" * 100 + "\n" + "b" * 100 + "\n", batch_size=1)
    assert _texts(source, _VOCABULARY, 26) == ["a" * 100 + "\n", "b" * 100 + "\n"]


def test_a_stream_whose_line_does_not_end_begins_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_START_RATE", 1.0)
    monkeypatch.setattr(streams, "_MAX_WAITING_WINDOWS", 3)
    source = _streams("a" * 100 + "\n", batch_size=1)
    assert [len(text) for text in _texts(source, _VOCABULARY, 8)] == [24, 24, 16]


def test_a_window_that_ends_with_a_line_stays_in_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINE_START_RATE", 1.0)
    text = "ab\n" * 30 + "c" * 100 + "\n" + "de\n" * 30
    source = _streams(text, batch_size=1, starts=(0, 90, 191))
    assert "".join(_texts(source, _VOCABULARY, 60)).startswith(text)


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
