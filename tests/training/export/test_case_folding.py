"""A case folding is put into the card of a file, whose network stays as it is."""

import onnx
import pytest
from support.tiny_models import CHARACTERS, TinyModel

from nextchar.errors import ModelFileError
from nextchar.model.golden import check_golden, score_strings
from nextchar.model.graph import graph_from_bytes
from nextchar.model.vocabulary import Vocabulary
from nextchar_training.export.case_folding import with_case_folding

_MODEL = TinyModel("gru", seed=1, vocabulary=Vocabulary(tuple(CHARACTERS[1:]), unit="line"))
_GOLDEN = [{"text": text, "logprob": 0.0} for text in ("", "The quick", "abc")]


@pytest.mark.parametrize("content", [_MODEL.step_bytes(), _MODEL.sequence_bytes()])
def test_the_card_says_it_and_nothing_else_of_the_file_changes(content: bytes) -> None:
    folded = with_case_folding(content, "lower")
    before, after = graph_from_bytes(content, shown="x"), graph_from_bytes(folded, shown="x")
    assert onnx.load_from_string(folded).graph == onnx.load_from_string(content).graph
    card, expected = after.card.model_dump(), before.card.model_dump()
    assert card["vocabulary"].pop("case_folding") == "lower"
    assert expected["vocabulary"].pop("case_folding") == "none"
    assert card == expected  # its golden strings have no capitals
    texts = ("abc", "the quick")
    plain = score_strings(before, [before.vocabulary.encode(text) for text in texts])
    assert score_strings(after, [after.vocabulary.encode(text.upper()) for text in texts]) == plain


def test_golden_strings_with_capitals_are_scored_again() -> None:
    after = graph_from_bytes(with_case_folding(_MODEL.step_bytes(golden=_GOLDEN), "lower"), shown="x")
    check_golden(after, shown="x")
    scores = {golden.text: golden.logprob for golden in after.card.golden}
    assert scores["The quick"] == score_strings(after, [after.vocabulary.encode("the quick")])[0]


def test_a_model_that_has_learnt_capitals_is_refused() -> None:
    capitals = TinyModel("gru", vocabulary=Vocabulary(tuple("abcABC")))
    with pytest.raises(ModelFileError, match="case_folding 'lower' leaves no text with 'A'"):
        with_case_folding(capitals.step_bytes(), "lower")
    with pytest.raises(ModelFileError, match=r"vocabulary\.case_folding"):
        with_case_folding(_MODEL.step_bytes(), "upper")
