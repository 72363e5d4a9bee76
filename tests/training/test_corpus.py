from pathlib import Path

import pytest

from nextchar_training.corpus import load_corpus
from nextchar_training.corpus_error import CorpusError


def _file(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return str(path)


def test_a_file_is_one_document_with_unix_newlines(tmp_path: Path) -> None:
    corpus = load_corpus(_file(tmp_path, b"\xef\xbb\xbfone\r\ntwo\rthree\n"))
    assert corpus.documents == ("one\ntwo\nthree\n",)
    assert corpus.name == "text"


def test_the_provenance_of_a_file_names_no_folder(tmp_path: Path) -> None:
    corpus = load_corpus(_file(tmp_path, b"some text"))
    assert corpus.source == "file text.txt"


def test_the_digest_is_of_the_text(tmp_path: Path) -> None:
    windows, unix = _file(tmp_path, b"a\r\nb"), tmp_path / "unix.txt"
    first = load_corpus(windows).sha256
    unix.write_bytes(b"a\nb")
    assert load_corpus(str(unix)).sha256 == first


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"aaaa\naaa\n", "single distinct character, 'a'"),
        (b"caf\xe9 au lait", "not UTF-8: byte 0xe9 at offset 3"),
        (b"\x7fELF\0\0\0", "is binary"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason) as refused:
        load_corpus(_file(tmp_path, content))
    assert "\n" not in refused.value.message


def test_a_missing_file_and_an_unknown_name_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no corpus named 'shakespear' \(shakespeare\) and no such file"):
        load_corpus("shakespear")
    with pytest.raises(CorpusError, match="cannot read"):
        load_corpus(str(tmp_path))
