import unicodedata

import pytest

from nextchar_training.corpus import Corpus
from nextchar_training.corpus_error import CorpusError
from nextchar_training.split import Normalization, Split, Unit, build_vocabulary, split_corpus


def _split(*documents: str, unit: Unit = "text", normalization: Normalization = "none") -> Split:
    corpus = Corpus("test", documents, "none", "made up")
    return split_corpus(
        corpus, unit=unit, heldout=0.1, development=0.1, normalization=normalization, window=16
    )


def test_a_text_is_cut_by_position_and_nothing_is_lost() -> None:
    split = _split("ab" * 50, "cd" * 50)
    assert [len(part) for part in (split.train, split.development, split.heldout)] == [162, 18, 20]
    assert split.train + split.development + split.heldout == "ab" * 50 + "cd" * 50
    assert split.document_starts == (0, 100)
    assert "162 + 18 + 20 characters" in split.description


def test_lines_are_put_into_one_fixed_order_and_none_is_lost() -> None:
    lines = [f"line {i:03}" for i in range(200)]
    split = _split("\n".join(lines) + "\n\n", unit="line")
    again = [*split.train.split("\n"), *split.development.split("\n"), *split.heldout.split("\n")]
    assert sorted(again) == lines
    assert again != lines
    assert split == _split("\n".join(lines), unit="line")
    assert "162 + 18 + 20 lines" in split.description


def test_a_text_shorter_than_one_window_is_refused() -> None:
    with pytest.raises(CorpusError, match="shorter than one window: 8 characters to train on, window 16"):
        _split("abcdefghij")


def test_one_line_cannot_be_split() -> None:
    with pytest.raises(CorpusError, match="too short to split"):
        _split("just one line", unit="line")


def test_the_vocabulary_is_of_the_training_part_by_code_point_and_count() -> None:
    split = _split("baQ\n" * 40 + "z" + "ba\n" * 40)
    vocabulary = build_vocabulary(split, min_count=5, unknown="symbol", normalization="none")
    assert vocabulary.characters == ("\n", "Q", "a", "b")  # z is rare
    assert vocabulary.unknown_id == 4


def test_the_newline_is_no_character_of_a_line() -> None:
    split = _split("ab\nba\nbb\naa\n" * 10, unit="line")
    vocabulary = build_vocabulary(split, min_count=1, unknown="symbol", normalization="none")
    assert vocabulary.characters == ("a", "b")


def test_refusing_keeps_rare_characters_and_says_which_one_is_only_held_out() -> None:
    split = _split("ab" * 50 + "z" + "ab" * 50)
    kept = build_vocabulary(split, min_count=5, unknown="refuse", normalization="none")
    assert kept.characters == ("a", "b", "z")
    with pytest.raises(CorpusError, match="'q' is in the development or held-out part"):
        build_vocabulary(_split("ab" * 100 + "q"), min_count=5, unknown="refuse", normalization="none")


def test_min_count_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(CorpusError, match="lower --min-count"):
        build_vocabulary(_split("abcdefgh" * 10), min_count=99, unknown="symbol", normalization="none")


def test_normalization_is_applied_before_the_cut() -> None:
    decomposed = "cafe\u0301 " * 40
    split = _split(decomposed, normalization="NFC")
    assert split.train + split.development + split.heldout == unicodedata.normalize("NFC", decomposed)
