"""A text is the same text wherever it lies and however it came."""

import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar_training.text import code_points as text_module
from nextchar_training.text.code_points import Text, TextBuilder, joined

_ACCENTED = st.lists(st.text(alphabet="ae \n\u0301\u0323\u1100\u1161\u11a8\u00e9z", max_size=9), max_size=6)


def _built(pieces: list[str], builder: TextBuilder) -> Text:
    builder.begin_document()
    for piece in pieces:
        builder.add(piece)
    return builder.build()[0]


@given(_ACCENTED)
def test_normalizing_piece_by_piece_is_normalizing_the_whole(pieces: list[str]) -> None:
    assert str(_built(pieces, TextBuilder("NFC"))) == unicodedata.normalize("NFC", "".join(pieces))


@given(st.lists(st.text(max_size=9), max_size=6))
def test_pieces_are_one_text_and_one_digest_however_they_are_cut(pieces: list[str]) -> None:
    whole, apart = TextBuilder(), TextBuilder()
    whole.add("".join(pieces))
    for piece in pieces:
        apart.add(piece)
    assert whole.build() == apart.build()


def test_documents_start_where_they_begin_in_the_normal_form() -> None:
    builder = TextBuilder("NFC")
    for document in ("cafe\u0301", "e\u0301e\u0301", "x"):
        builder.begin_document()
        builder.add(document)
    text, _ = builder.build()
    assert builder.document_starts == [0, 4, 6]
    assert str(text[4:6]) == "éé"


@pytest.fixture
def _small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "MAX_CHARS_IN_MEMORY", 10)


@pytest.mark.usefixtures("_small_memory")
@pytest.mark.parametrize(
    "make",
    [
        lambda: _built(["some ", "text that is ", "larger"], TextBuilder()),
        lambda: joined([Text.of("some text"), Text.of(" that is larger")]),
    ],
)
def test_a_text_larger_than_memory_is_mapped_and_the_same(make: Callable[[], Text]) -> None:
    text = make()
    assert isinstance(text.code_points, np.memmap)
    assert isinstance(text[5:9].code_points, np.memmap)
    assert str(text) == "some text that is larger"
    assert text == Text.of("some text that is larger")
    assert text.counts()[ord("t")] == 4


def test_joining_one_text_copies_nothing() -> None:
    text = Text.of("abc")
    assert joined([text]) is text
