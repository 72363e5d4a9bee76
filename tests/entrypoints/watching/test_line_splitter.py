"""Bytes are cut into lines that do not depend on how they came, and that have a bounded length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.entrypoints.watching.line_splitter import Line, LineSplitter
from nextchar.errors import InvalidRequest

_BYTES = st.lists(
    st.sampled_from([b"\n", b"\r\n", b"\0", b"abc", "é€😀".encode(), b"\xff", b"\xe2\x82"]), max_size=20
).map(b"".join)


def lines_of(data: bytes, *, max_line_chars: int = 100, encoding: str = "utf-8") -> list[Line]:
    return LineSplitter(encoding, max_line_chars).read(data, is_last=True)


@given(_BYTES, st.lists(st.integers(0, 60), max_size=6), st.sampled_from([3, 100]))
def test_lines_do_not_depend_on_how_the_bytes_came(data: bytes, cuts: list[int], most: int) -> None:
    splitter, found, begin = LineSplitter("utf-8", most), list[Line](), 0
    for cut in sorted(cuts):
        found += splitter.read(data[begin:cut])
        begin = max(begin, cut)
    found += splitter.read(data[begin:], is_last=True)
    assert found == lines_of(data, max_line_chars=most)


def test_a_line_is_returned_when_its_newline_has_come() -> None:
    splitter = LineSplitter()
    assert splitter.read(b"one\ntw") == [Line("one")]
    assert splitter.read(b"o") == []
    assert splitter.read(b"\n\n") == [Line("two"), Line("")]
    assert splitter.read(b"last", is_last=True) == [Line("last")]
    assert splitter.read(b"", is_last=True) == []


def test_a_carriage_return_before_the_newline_is_no_part_of_the_line() -> None:
    assert lines_of(b"a\r\nb\rc\r\n") == [Line("a"), Line("b\rc")]


def test_a_byte_that_is_not_of_the_encoding_is_read_as_its_number() -> None:
    assert lines_of(b"a\xff\xe2\x82\n") == [Line("a\\xff\\xe2\\x82")]
    assert lines_of(b"a\xff\n", encoding="latin-1") == [Line("a\xff")]


def test_a_hole_at_the_beginning_of_a_line_is_no_part_of_it() -> None:
    assert lines_of(b"\0" * 5000 + b"a\0b\n\0\n", max_line_chars=4) == [Line("a\0b"), Line("")]


def test_a_line_that_is_too_long_is_cut_between_two_characters_and_the_next_one_is_whole() -> None:
    found = lines_of(("€" * 101 + "\nnext\n").encode())
    assert found == [Line("€" * 100, is_cut=True), Line("next")]
    assert lines_of(b"a" + "😀".encode() * 3 + b"\n", max_line_chars=3) == [Line("a😀😀", is_cut=True)]


def test_what_is_held_of_a_line_without_end_is_bounded() -> None:
    splitter = LineSplitter("utf-8", 100)
    for _ in range(1000):
        assert splitter.read(b"x" * 4096) == []
    assert len(splitter._begun) == 400
    assert splitter.read(b"\n") == [Line("x" * 100, is_cut=True)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "hex", "rot13", "undefined", "idna", "klingon"])
def test_an_encoding_whose_newline_is_not_one_byte_is_refused(encoding: str) -> None:
    with pytest.raises(InvalidRequest, match=f"encoding must be one .*{encoding}"):
        LineSplitter(encoding)
