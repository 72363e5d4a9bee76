import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.vocabulary import Vocabulary

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
