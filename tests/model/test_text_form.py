"""One rule for newlines and case: for a text and for its pieces, in training and at every API."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.text_form import NewlineReader, TextForm, fold_case, unix_newlines
from nextchar.model.vocabulary import Vocabulary

LEARNT = Vocabulary(("\n", "\r", "a"))
NOT_LEARNT = Vocabulary(("\n", "a"))
LOWER = Vocabulary(("\n", "a", "b", "é", "σ"), case_folding="lower", normalization="NFC")


def pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def test_a_model_without_carriage_returns_reads_them_as_newlines() -> None:
    for text in ("a\r\na\ra\n", "a\na\na\n"):
        assert NOT_LEARNT.normalize(text) == "a\na\na\n"
        assert NOT_LEARNT.encode(text).tolist() == [1, 0, 1, 0, 1, 0]


def test_a_model_that_has_learnt_carriage_returns_and_one_of_bytes_keep_them() -> None:
    assert LEARNT.encode("a\r\n\r").tolist() == [2, 1, 0, 1]
    assert LEARNT.encode("\n", after_return=True).tolist() == [0]
    assert not LEARNT.form.ends_in_return("a\r")
    of_bytes = Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes")
    assert of_bytes.encode("a\r\n").tolist() == [97, 13, 10]
    assert of_bytes.encode("\n", after_return=True).tolist() == [10]
    assert not of_bytes.form.ends_in_return("a\r")


@given(st.text("ab\r\nAΣ", max_size=20), st.lists(st.integers(0, 20), max_size=6))
def test_a_text_in_pieces_is_read_as_the_whole(text: str, cuts: list[int]) -> None:
    form, read, after_return = LOWER.form, [], False
    for piece in pieces(text, cuts):
        read.append(form.of(piece, after_return=after_return))
        after_return = form.ends_in_return(piece, after_return=after_return)
    assert "".join(read) == form.of(text)
    newlines = NewlineReader()
    assert "".join(map(newlines.read, pieces(text, cuts))) == unix_newlines(text)


def test_a_carriage_return_is_a_newline_at_once_and_its_line_feed_comes_to_nothing() -> None:
    newlines = NewlineReader()
    assert [newlines.read(piece) for piece in ("a\r", "", "\n", "\n", "\r", "\r")] == [
        *("a\n", "", "", "\n", "\n", "\n"),
    ]


def test_encoding_many_texts_is_encoding_each() -> None:
    texts = ["\na\r", "", "\r\n", "AB\r\r\n"]
    for after_return in (False, True):
        expected = [LOWER.encode(text, after_return=after_return).tolist() for text in texts]
        found = LOWER.encode_all(texts, after_return=after_return)
        assert [ids.tolist() for ids in found] == expected


def test_case_is_folded_before_the_unicode_form() -> None:
    assert LOWER.normalize("E\N{COMBINING ACUTE ACCENT}A") == "éa"
    assert LOWER.encode("ÉaB").tolist() == LOWER.encode("éab").tolist() == [3, 1, 2]


def test_lower_case_is_that_of_each_character_by_itself() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert fold_case(every, "lower") == "".join(map(str.lower, every))
    assert fold_case("ΟΔΟΣ", "lower") == "οδοσ"
    assert fold_case(every, "none") == every
    assert fold_case(fold_case(every, "lower"), "lower") == fold_case(every, "lower")


def test_a_vocabulary_with_a_character_that_its_folding_never_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="case_folding 'lower' leaves no text with 'A'"):
        Vocabulary(("a", "A"), case_folding="lower")
    with pytest.raises(ValueError, match="bytes must have case_folding 'none'"):
        Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes", case_folding="lower")


def test_a_byte_order_mark_that_is_not_of_a_file_is_a_character() -> None:
    assert TextForm().of("\ufeffa") == "\ufeffa"
    assert NOT_LEARNT.encode("\ufeffa").tolist() == [2, 1]
