"""A file is read as text in one way: UTF-8, its lines, and an error that says where it is none."""

import codecs
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import InvalidRequest
from nextchar.model import text_file
from nextchar.model.text_file import read_lines, read_pieces


class _Source(io.BytesIO):
    """Gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes, sizes: list[int] | None = None) -> None:
        super().__init__(content)
        self._sizes = sizes or []

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read(self._sizes.pop() if self._sizes else size)


def lines(content: bytes, encoding: str = "utf-8", sizes: list[int] | None = None) -> list[str]:
    file = _Source(content, sizes)
    return list(read_lines(file, shown="'x.txt'", advice="do something", encoding=encoding))


def refusal(content: bytes, encoding: str = "utf-8", sizes: list[int] | None = None) -> str:
    with pytest.raises(InvalidRequest) as caught:
        lines(content, encoding, sizes)
    return caught.value.message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\n", ["a", ""]),
        (b"a\r\nb\rc\nd", ["a", "b", "c", "d"]),
        (b"a\r", ["a"]),
        (b"\r\r\n\n", ["", "", ""]),
        (b"\xef\xbb\xbfAda\n\xef\xbb\xbf", ["Ada", "\ufeff"]),
        ("a\u2028b\vc\x85d\x1ce\ff\n".encode(), ["a\u2028b\vc\x85d\x1ce\ff"]),
    ],
)
def test_lines_end_in_a_line_feed_a_carriage_return_or_both(content: bytes, expected: list[str]) -> None:
    assert lines(content) == expected
    assert lines(content, sizes=[1] * len(content)) == expected
    assert lines(gzip.decompress(gzip.compress(content))) == expected


@given(st.text("a\r\n€\ufeff", max_size=20), st.lists(st.integers(1, 4), max_size=30))
def test_where_a_file_is_cut_does_not_matter(text: str, sizes: list[int]) -> None:
    whole = list(read_pieces(_Source(text.encode()), shown="x", advice="y"))
    cut = list(read_pieces(_Source(text.encode(), sizes), shown="x", advice="y"))
    assert "".join(cut) == "".join(whole)
    assert "".join(whole) == text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def test_a_line_comes_as_soon_as_it_ends() -> None:
    file = _Source(b"a\r\nb\r\n", [1, 1, 1, 1, 2])
    found = read_lines(file, shown="x", advice="y")
    assert next(found) == "a"
    assert file.tell() == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "utf-32", "cp1252", "utf-8-sig"])
def test_another_encoding_is_read_where_it_is_named(encoding: str) -> None:
    text = "caf\xe9\r\nau lait"
    assert lines(text.encode(encoding), encoding) == ["caf\xe9", "au lait"]
    assert lines("\ufeffAda".encode("utf-16-le"), "utf-16-le") == ["Ada"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"one\r\ntwo\ncaf\xe9\n", "'x.txt' is not UTF-8: byte 0xe9 at offset 12, in line 3; do something"),
        (b"\xef\xbb\xbfab\xff", "byte 0xff at offset 5, in line 1"),
        (b"a\nb\xe2\x82", "byte 0xe2 at offset 3, in line 2"),
        ("Ada".encode("utf-16"), "byte 0xff at offset 0, in line 1, which is how UTF-16 begins"),
        (b"\xfe\xff\0A", "byte 0xfe at offset 0, in line 1, which is how UTF-16 begins"),
        ("A\nda".encode("utf-16-le"), "it has NUL bytes, the first in line 1, as UTF-16 has"),
        (b"one\ntwo\0\n", "it has NUL bytes, the first in line 2"),
    ],
)
def test_what_is_no_utf8_is_refused_with_its_line_and_byte(content: bytes, told: str) -> None:
    assert told in refusal(content)
    assert refusal(content, sizes=[1] * len(content)) == refusal(content)


def test_utf16_without_a_byte_order_mark_is_refused_where_one_must_be() -> None:
    assert "'x.txt' is not UTF-16: " in refusal(b"Ada.", "utf-16")


@pytest.mark.parametrize("encoding", ["hex", "rot13", "undefined", "latin1x", ""])
def test_an_encoding_that_is_none_is_refused(encoding: str) -> None:
    assert "encoding must be one that Python knows" in refusal(b"a", encoding)


def test_a_package_that_registers_a_codec_for_every_name_makes_none_an_encoding() -> None:
    def claims_all(_name: str) -> codecs.CodecInfo:
        return codecs.lookup("latin-1")

    codecs.register(claims_all)
    try:
        assert "encoding must be one that Python knows" in refusal(b"a", "any-name")
    finally:
        codecs.unregister(claims_all)


@pytest.mark.parametrize("encoding", ["UTF-8", "utf 8", "Latin-1", "cp1252", "ASCII"])
def test_an_encoding_may_be_spelled_as_python_takes_it(encoding: str) -> None:
    assert lines(b"Ada\n", encoding) == ["Ada"]


def test_a_large_file_is_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_file, "CHUNK_BYTES", 4)
    assert lines(b"a long line\nand another") == ["a long line", "and another"]
