from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.vocabulary import TextDecoder, Vocabulary

ABC = Vocabulary(("a", "b", "c"))


def test_ids_are_characters_then_unknown_then_end_then_begin() -> None:
    line = Vocabulary(("a", "b"), unit="line")
    assert (line.unknown_id, line.end_id, line.begin_id) == (2, 3, 4)
    assert (line.num_outputs, line.num_inputs) == (4, 5)
    text = Vocabulary(("a", "b"), unknown="refuse")
    assert (text.unknown_id, text.end_id, text.begin_id) == (None, None, 2)
    assert (text.num_outputs, text.num_inputs) == (2, 3)


@pytest.mark.parametrize("text", ["\0", "\ud800", "\U0001f600", "Ā", "A"])
def test_whatever_is_not_in_the_vocabulary_is_one_unknown_character(text: str) -> None:
    assert ABC.encode(f"a{text}b").tolist() == [0, 3, 1]


def test_a_refusing_vocabulary_names_the_first_unknown_character() -> None:
    with pytest.raises(KeyError) as caught:
        Vocabulary(("a",), unknown="refuse").encode("aXY")
    assert caught.value.args == ("X",)


@given(st.text(alphabet="abc"))
def test_decode_undoes_encode(text: str) -> None:
    assert ABC.decode(ABC.encode(text)) == text


def test_text_is_brought_into_the_models_unicode_form() -> None:
    nfc = Vocabulary(("é",), normalization="NFC")
    assert nfc.encode("e\N{COMBINING ACUTE ACCENT}").tolist() == [0]
    assert Vocabulary(("é",)).encode("e\N{COMBINING ACUTE ACCENT}").tolist() == [1, 1]


def test_special_symbols_have_no_character_but_a_label() -> None:
    line = Vocabulary(("a",), unit="line")
    assert [line.special(i) for i in range(3)] == [None, "unknown", "end"]
    assert [line.label(i) for i in range(3)] == ["a", "<|unknown|>", "<|end|>"]
    assert line.decode([0, 1, 2, 3]) == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("characters", [(), ("ab",), ("a", "a"), ("",)])
def test_a_vocabulary_is_distinct_single_characters(characters: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        Vocabulary(characters)


BYTES = Vocabulary(tuple(map(chr, range(256))), unknown="refuse", symbols="bytes")


@given(st.text())
def test_bytes_are_the_utf8_of_any_text(text: str) -> None:
    ids = BYTES.encode(text)
    assert ids.tolist() == list(text.encode("utf-8", "surrogatepass"))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_decoding_bytes_undoes_encoding(text: str) -> None:
    assert BYTES.decode(BYTES.encode(text)) == text


@given(st.binary(), st.lists(st.integers(0, 40), max_size=5))
def test_decoded_in_pieces_is_decoded_whole(content: bytes, cuts: list[int]) -> None:
    decoder, edges = TextDecoder(BYTES), [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    parts = [decoder.decode(content[a:b].decode("latin-1")) for a, b in pairwise(edges)]
    assert "".join(parts) + decoder.decode("", final=True) == content.decode("utf-8", "replace")


def test_a_byte_beyond_ascii_is_shown_by_its_number() -> None:
    assert [BYTES.label(ord(character)) for character in "a\né"] == ["a", "\n", r"bytes:\xe9"]


@pytest.mark.parametrize(
    ("characters", "unknown"), [(("a", "b"), "refuse"), (tuple(map(chr, range(256))), "symbol")]
)
def test_a_vocabulary_of_bytes_has_all_of_them(
    characters: tuple[str, ...], unknown: Literal["symbol", "refuse"]
) -> None:
    with pytest.raises(ValueError, match="all 256"):
        Vocabulary(characters, unknown=unknown, symbols="bytes")
