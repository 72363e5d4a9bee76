import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar_training.text.code_points import Text, Unit
from nextchar_training.text.corpus import Corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.split import Split, SplitBy, given_split, split_corpus, split_digest


def _corpus(*documents: str) -> Corpus:
    starts = [sum(map(len, documents[:k])) for k in range(len(documents))]
    return Corpus("test", Text.of("".join(documents)), tuple(starts), "", "none", "made up")


def _split(
    *documents: str,
    unit: Unit = "text",
    by: SplitBy = "position",
    heldout: float = 0.1,
    development: float = 0.1,
) -> Split:
    return split_corpus(
        _corpus(*documents), unit=unit, heldout=heldout, development=development, window=16, by=by
    )


def _parts(split: Split) -> list[str]:
    return [str(split.train), str(split.development), str(split.heldout)]


def test_a_text_is_cut_by_position_and_nothing_is_lost() -> None:
    split = _split("ab" * 50, "cd" * 50)
    assert [len(part) for part in _parts(split)] == [162, 18, 20]
    assert "".join(_parts(split)) == "ab" * 50 + "cd" * 50
    assert split.document_starts == (0, 100)
    assert "162 + 18 + 20 characters" in split.description


def test_parts_may_be_numbers_of_characters() -> None:
    split = _split("ab" * 100, heldout=50, development=30)
    assert [len(part) for part in _parts(split)] == [120, 30, 50]


def test_lines_are_put_into_one_fixed_order_and_none_is_lost() -> None:
    lines = [f"line {i:03}" for i in range(200)]
    split = _split("\n".join(lines) + "\n\n", unit="line")
    again = [line for part in _parts(split) for line in part.split("\n")]
    assert sorted(again) == lines
    assert again != lines
    assert split == _split("\n".join(lines), unit="line")
    assert "162 + 18 + 20 lines" in split.description


_NUM_DISTINCT = 30
_COPIES = st.lists(st.integers(0, _NUM_DISTINCT - 1), max_size=90)


@given(_COPIES, st.sampled_from([0.1, 0.3, 5]), st.sampled_from([0.1, 0.2, 4]))
def test_equal_lines_are_in_one_part_and_as_many_as_they_were(
    copies: list[int], heldout: float, development: float
) -> None:
    lines = [f"line {k}" for k in (*copies, *range(_NUM_DISTINCT))]
    split = _split("\n".join(lines), unit="line", heldout=heldout, development=development)
    parts = [part.split("\n") for part in _parts(split)]
    assert Counter(line for part in parts for line in part) == Counter(lines)
    sizes = [len(set(part)) for part in parts]
    assert sum(sizes) == len(set(lines))  # no line is in two parts
    if heldout == 5:
        assert sizes[2] == 5
    if development == 4:
        assert sizes[1] == 4


def test_copies_change_nothing_of_how_distinct_lines_are_cut() -> None:
    lines = [f"line {i:03}" for i in range(200)]
    once, more = (_split("\n".join(given), unit="line") for given in (lines, lines + lines[::3] * 4))
    for a, b in zip(_parts(once), _parts(more), strict=True):
        assert set(a.split("\n")) == set(b.split("\n"))
    assert "(200 of them distinct)" in more.description
    assert "distinct" not in once.description


def test_a_list_of_distinct_lines_is_cut_as_ever() -> None:
    """Runs and cards record this digest of their split."""
    split = _split("\n".join(f"line {i:03}" for i in range(200)), unit="line")
    assert split_digest(split)[:16] == "9c355e05de63b67c"


@pytest.mark.parametrize("unit", ["text", "line"])
def test_the_end_of_a_document_ends_its_last_line(unit: Unit) -> None:
    documents = [f"first of {k}\nlast of {k}" for k in range(40)]
    split = _split(*documents, unit=unit)
    given = given_split(*[_corpus(*documents)] * 3, unit=unit)
    if unit == "line":
        assert sorted("\n".join(_parts(split)).split("\n")) == sorted("\n".join(documents).split("\n"))
        assert str(given.heldout) == "\n".join(documents)
    else:
        assert "".join(_parts(split)) == str(given.heldout) == "".join(documents)


# Of one size, nearly: a document as long as the held-out share would leave nothing to hold out.
_DOCUMENTS = st.lists(st.text("ab\n", min_size=8, max_size=12), min_size=25, max_size=40)


@given(_DOCUMENTS, st.sampled_from(["position", "document"]), st.sampled_from([0.1, 0.3]))
def test_every_character_of_every_document_is_in_one_part(
    documents: list[str], by: SplitBy, heldout: float
) -> None:
    numbered = [chr(0x4E00 + k) + document for k, document in enumerate(documents)]  # none is equal or empty
    split = _split(*numbered, by=by, heldout=heldout, development=0.2)
    parts = _parts(split)
    if by == "position":
        assert "".join(parts) == "".join(numbered)
    else:
        found = [piece for part in parts for piece in re.split("(?=[\u4e00-\u4eff])", part) if piece]
        assert sorted(found) == sorted(numbered)
    ends = (*split.document_starts[1:], len(split.train))
    trained = [str(split.train[a:b]) for a, b in zip(split.document_starts, ends, strict=True)]
    assert "".join(trained) == parts[0]
    assert trained[:-1] == [document for document in numbered if document in trained[:-1]]
    assert all(document in numbered for document in trained[: -1 if by == "position" else None])


def test_whole_documents_are_held_out_and_none_is_lost() -> None:
    documents = [chr(ord("a") + k) * 40 for k in range(20)]
    split = _split(*documents, by="document", heldout=0.2)
    found = [document for part in _parts(split) for document in map("".join, _forties(part))]
    assert sorted(found) == documents
    assert [len(part) // 40 for part in _parts(split)] == [15, 1, 4]
    assert [str(split.train[start : start + 40]) for start in split.document_starts] == found[:15]
    assert str(split.heldout) != "".join(documents[-4:])
    assert "15+1+4 documents" in split.description


def _forties(part: str) -> list[str]:
    return [part[k : k + 40] for k in range(0, len(part), 40)]


def test_one_document_cannot_be_held_out() -> None:
    with pytest.raises(CorpusError, match="too short to split"):
        _split("ab" * 100, by="document")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("text", ["one\n\ntwo\n", "three\n", "four\n"]), ("line", ["one\ntwo", "three", "four"])],
)
def test_given_parts_are_left_as_they_are(unit: Unit, expected: list[str]) -> None:
    corpora = [_corpus(text) for text in ("one\n\ntwo\n", "three\n", "four\n")]
    assert _parts(given_split(*corpora, unit=unit)) == expected
    assert _parts(given_split(corpora[0], None, corpora[2], unit=unit)) == [expected[0], "", expected[2]]


@pytest.mark.parametrize(("unit", "expected"), [("text", "one two th"), ("line", "a\nb\nc")])
def test_what_comes_before_the_held_out_part(unit: Unit, expected: str) -> None:
    parts = ["one ", "two th", "ree"] if unit == "text" else ["a\nb", "c", "d"]
    split = given_split(*(_corpus(part) for part in parts), unit=unit)
    assert str(split.before_heldout()) == expected
    assert str(split.before_heldout(4)) == expected[-4:]


def test_a_text_shorter_than_one_window_is_refused() -> None:
    with pytest.raises(CorpusError, match="shorter than one window: 8 characters to train on, window 16"):
        _split("abcdefghij")


def test_one_line_cannot_be_split() -> None:
    with pytest.raises(CorpusError, match="too short to split"):
        _split("just one line", unit="line")
