import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from nextchar.model import text_file
from nextchar.model.text_form import TextForm
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.error import CorpusError


def _file(tmp_path: Path, content: bytes, name: str = "text.txt") -> str:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_a_file_is_one_document_with_unix_newlines(tmp_path: Path) -> None:
    corpus = load_corpus(_file(tmp_path, b"\xef\xbb\xbfone\r\ntwo\rthree\n"))
    assert str(corpus.text) == "one\ntwo\nthree\n"
    assert corpus.document_starts == (0,)
    assert corpus.name == "text"


@pytest.mark.parametrize("chunk", [1, 2, 3, 5])
def test_where_a_file_is_cut_into_pieces_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(text_file, "CHUNK_BYTES", chunk)
    text = "\ufeffé\r\n€\r\r\n\N{GRINNING FACE}\r"
    corpus = load_corpus(_file(tmp_path, text.encode()))
    assert str(corpus.text) == "é\n€\n\n\N{GRINNING FACE}\n"


def test_the_provenance_of_a_file_names_no_folder(tmp_path: Path) -> None:
    assert load_corpus(_file(tmp_path, b"some text")).source == "file text.txt"


def test_the_digest_is_of_the_text(tmp_path: Path) -> None:
    windows = load_corpus(_file(tmp_path, b"a\r\nb"))
    assert load_corpus(_file(tmp_path, b"a\nb", "unix.txt")).sha256 == windows.sha256


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_text_is_text(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    content = "déjà vu\n".encode() * 100
    plain = load_corpus(_file(tmp_path, content))
    packed = load_corpus(_file(tmp_path, compress(content), "text.packed"))
    assert packed.text == plain.text
    assert packed.sha256 == plain.sha256


def test_the_files_of_a_folder_are_documents_in_order(tmp_path: Path) -> None:
    for name, content in {
        "b.txt": b"second",
        "a/z.txt": b"first ",
        "c.md": b"other",
        ".git/x.txt": b"-",
    }.items():
        _file(tmp_path, content, name)
    corpus = load_corpus(str(tmp_path), pattern="*.txt")
    assert str(corpus.text) == "first second"
    assert corpus.document_starts == (0, 6)
    assert corpus.source == f"folder {tmp_path.name}"


def test_any_file_is_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) + b"\r\n"
    corpus = load_corpus(_file(tmp_path, content), symbols="bytes")
    assert str(corpus.text).encode("latin-1") == content


def test_the_spaced_layout_is_undone(tmp_path: Path) -> None:
    corpus = load_corpus(_file(tmp_path, b"t h e _ c a t\n< u n k > _ s a t\n"), layout="spaced")
    assert str(corpus.text) == "the cat\n<unk> sat\n"


_SENTENCE = b"the quick brown fox jumps over the lazy dog"


def _refused(path: str, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason) as refused:
        load_corpus(path)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"aaaa\naaa\n", r"at least two distinct characters \(it has only 'a'\)"),
        (b"caf\xe9 au lait", "not UTF-8: byte 0xe9 at offset 3"),
        (b"cut off \xe2\x82", "not UTF-8: byte 0xe2 at offset 8"),
        (b"\x7fELF\0\0\0", "has NUL bytes"),
        (gzip.compress(_SENTENCE, mtime=0)[:-20], "cannot read .*Compressed file ended"),
        (b"\x1f\x8b but no gzip at all", "cannot read"),
        (lzma.compress(_SENTENCE)[:-40] + bytes(40), "cannot read"),
        (b"PK\x03\x04 archive", "compressed with zip"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    _refused(_file(tmp_path, content), reason)


@pytest.mark.parametrize("chunk", [1, 4, 64])
def test_the_offset_of_a_bad_byte_is_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(text_file, "CHUNK_BYTES", chunk)
    _refused(_file(tmp_path, b"one two \xe2\x82\xff three"), "byte 0xe2 at offset 8")


def test_a_missing_file_and_an_unknown_name_are_one_error(tmp_path: Path) -> None:
    _refused("shakespear", r"must be a file, a folder or one of shakespeare, .* \(is 'shakespear'\)")
    _refused(str(tmp_path), "has no file that matches")


def test_case_is_folded_as_servers_fold_it_and_the_digest_is_of_the_text_before(tmp_path: Path) -> None:
    path = _file(tmp_path, "GoOgLe ΟΔΟΣ\n".encode())
    folded, plain = load_corpus(path, case_folding="lower"), load_corpus(path)
    assert str(folded.text) == TextForm(case_folding="lower").of("GoOgLe ΟΔΟΣ\n") == "google οδοσ\n"
    assert folded.sha256 == plain.sha256


def test_the_case_of_bytes_is_not_folded(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"case_folding must be none when symbols is bytes \(it is lower\)"):
        load_corpus(_file(tmp_path, b"some text"), symbols="bytes", case_folding="lower")
