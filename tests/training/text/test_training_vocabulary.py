import numpy as np
import pytest

from nextchar.model.card import MAX_CHARACTERS
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.text import code_points as text_module
from nextchar_training.text.code_points import Text, Unit
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split, split_corpus
from nextchar_training.text.vocabulary import build_vocabulary, encode


def _split(text: str, *, unit: Unit = "text") -> Split:
    corpus = Corpus("test", Text.of(text), (0,), "", "none", "made up")
    return split_corpus(corpus, unit=unit, heldout=0.1, development=0.1, window=16)


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


@pytest.mark.parametrize(
    ("num_characters", "dtype"),
    [(254, "<u1"), (255, "<u2"), (65_534, "<u2"), (65_535, "<i4"), (65_536, "<i4")],
)
def test_the_ids_of_a_large_vocabulary_fit_their_type(num_characters: int, dtype: str) -> None:
    """With unknown and begin there are two more ids than characters."""
    characters = [chr(code) for code in range(0x10000, 0x10000 + num_characters)]
    vocabulary = Vocabulary(tuple(characters))
    ids = encode(vocabulary, Text.of(characters[0] + characters[-1] + "?"))
    assert ids.dtype == np.dtype(dtype)
    assert ids.tolist() == [0, num_characters - 1, num_characters]


def test_more_characters_than_a_card_holds_are_refused_before_the_training() -> None:
    characters = "".join(chr(code) for code in range(0x10000, 0x10000 + MAX_CHARACTERS + 1))
    split = _split(characters + "ab" * 9000)
    with pytest.raises(CorpusError, match=r"has 65,5\d\d characters \(limit 65,536\): raise --min-count"):
        build_vocabulary(split, min_count=1, unknown="symbol", normalization="none")
    assert build_vocabulary(split, min_count=2, unknown="symbol", normalization="none").characters == (
        "a",
        "b",
    )


def test_all_bytes_are_a_vocabulary_whatever_the_text() -> None:
    vocabulary = build_vocabulary(
        _split("ab" * 50), min_count=5, unknown="symbol", normalization="NFC", symbols="bytes"
    )
    assert vocabulary.characters == tuple(map(chr, range(256)))
    assert (vocabulary.unknown, vocabulary.normalization) == ("refuse", "none")


def test_ids_of_a_text_are_those_of_its_characters_in_memory_and_mapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = _split("ba\n" * 100)
    vocabulary = build_vocabulary(split, min_count=1, unknown="symbol", normalization="none")
    expected = vocabulary.encode("ba\n?ab").tolist()
    ids = encode(vocabulary, Text.of("ba\n?ab"))
    assert ids.dtype == np.uint8
    assert ids.tolist() == expected
    monkeypatch.setattr(text_module, "MAX_CHARS_IN_MEMORY", 3)
    ids = encode(vocabulary, Text.of("ba\n?ab"))
    assert isinstance(ids, np.memmap)
    assert ids.tolist() == expected
